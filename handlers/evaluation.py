"""How good the joint model is on rows held out of training, beside the local party's own model."""

import numpy as np
from numpy.typing import NDArray

from events.models import CalibrationBin, ModelEvaluated, Quality
from events.predictions import PartialScoreReturned
from events.terms import Kind
from handlers.drafts import Draft, draft
from handlers.errors import ProtocolError
from handlers.history import History
from handlers.keys import residual_of
from handlers.own import Own
from handlers.prepared import held_out_mask, own_prepared, own_snapshot
from handlers.preparing import common_rows, own_labels
from handlers.scores import held_out_scores
from learning.curvature import Constant
from learning.errors import LearningError, QualityError
from learning.fixed_point import from_grid, partial_scores
from learning.pretraining import pretrain
from learning.quality import LogisticQuality, linear_quality, logistic_quality
from learning.residuals import check_scores

# Figures are for people; the grid keeps the last bits of a float out of the event.
DIGITS = 9


def evaluate(history: History, own: Own) -> Draft:
    """Joint scores are the sum of all partial scores (S3); labels never leave the local party."""
    terms = history.terms
    labels, joint = held_out_outcomes(history, own)
    quality, calibration = _quality(terms.kind, joint, labels)
    alone, _ = _quality(terms.kind, _scores_alone(history, own), labels)
    evaluated = ModelEvaluated(
        job=history.job, rows=len(labels), joint=quality, alone=alone, calibration=calibration
    )
    return draft(evaluated, history.job, terms)


def held_out_outcomes(
    history: History, own: Own
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Labels in units of the job, and joint scores, of the held-out rows. Raises ProtocolError."""
    terms = history.terms
    own_part = held_out_scores(history, own)
    parts = [own_part]
    for name in terms.participants:
        fact = history.of(PartialScoreReturned, source=name)[0]
        part = own.array(fact.payload("scores"), "i8")
        if part.shape != own_part.shape:
            raise ProtocolError(f"{name} returned {len(part)} scores, not {len(own_part)}")
        try:
            check_scores(residual_of(terms), part)
        except LearningError as error:
            raise ProtocolError(f"{name} returned scores that cannot be: {error}") from None
        parts.append(part)
    snapshot = own_snapshot(history, own)
    rows = common_rows(history, own)[held_out_mask(history, own)]
    labels = np.asarray(snapshot.label)[rows] / terms.label_unit
    return labels, from_grid(np.sum(parts, axis=0))


def _scores_alone(history: History, own: Own) -> NDArray[np.float64]:
    """The local party's own model on the same rows: what it has without any partner."""
    terms, prepared = history.terms, own_prepared(history, own)
    weights = pretrain(
        prepared.training_codes,
        prepared.layout,
        own_labels(history, own),
        kind=terms.kind,
        inverse_penalty=terms.inverse_penalty,
        constant=Constant.INTERCEPT,
    )
    of_bins = prepared.layout.expand(weights[:-1])
    codes, bins = prepared.held_out_codes, prepared.bins
    return from_grid(partial_scores(codes, of_bins, bins, int(weights[-1])))


def _quality(
    kind: Kind, scores: NDArray[np.float64], labels: NDArray[np.float64]
) -> tuple[Quality, tuple[CalibrationBin, ...]]:
    try:
        if kind == "linear":
            linear = linear_quality(scores, labels)
            return Quality(r2=round(linear.r2, DIGITS), rmse=round(linear.rmse, DIGITS)), ()
        logistic = logistic_quality(scores, labels)
    except QualityError:
        return Quality(), ()
    return _logistic(logistic)


def _logistic(figures: LogisticQuality) -> tuple[Quality, tuple[CalibrationBin, ...]]:
    quality = Quality(
        auc=round(figures.auc, DIGITS),
        ks=round(figures.ks, DIGITS),
        lift=round(figures.lift, DIGITS),
        log_loss=round(figures.log_loss, DIGITS),
    )
    calibration = tuple(
        CalibrationBin(
            predicted=round(tenth.predicted, DIGITS),
            observed=round(tenth.observed, DIGITS),
            rows=tenth.customers,
        )
        for tenth in figures.calibration
    )
    return quality, calibration
