"""How good a model is on rows it was not trained on."""

from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from learning.errors import QualityError
from learning.residuals import sigmoid

DECILES = 10

Floats = npt.NDArray[np.float64]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CalibrationBin(Frozen):
    """A tenth of the customers by predicted probability: what was predicted, what happened."""

    predicted: float
    observed: float
    customers: int


class LogisticQuality(Frozen):
    """`ks` is the largest gap of the two classes' distributions; `lift` is the top tenth's."""

    rows: int
    positives: int
    auc: float
    ks: float
    lift: float
    log_loss: float
    calibration: tuple[CalibrationBin, ...]


class LinearQuality(Frozen):
    rows: int
    r2: float
    rmse: float


def logistic_quality(scores: Floats, labels: Floats) -> LogisticQuality:
    """From log-odds and labels -1/1; raises QualityError for one class only."""
    from sklearn.metrics import log_loss, roc_auc_score, roc_curve  # noqa: PLC0415 - slow to import

    positive = labels > 0
    if positive.all() or not positive.any():
        raise QualityError(
            f"the {len(labels)} held-out customers are all of one class: no curve can be drawn; "
            "hold out another fold, or more customers"
        )
    probabilities = sigmoid(scores)
    false_positives, true_positives, _ = roc_curve(positive, scores)
    return LogisticQuality(
        rows=len(labels),
        positives=int(positive.sum()),
        auc=float(roc_auc_score(positive, scores)),
        ks=float(np.max(true_positives - false_positives)),
        lift=_lift(scores, positive),
        log_loss=float(log_loss(positive, np.column_stack([1 - probabilities, probabilities]))),
        calibration=_calibration(probabilities, positive),
    )


def linear_quality(scores: Floats, labels: Floats) -> LinearQuality:
    """Raises QualityError where all labels are equal: nothing is there to explain."""
    from sklearn.metrics import r2_score  # noqa: PLC0415 - slow to import

    if len(labels) < 2 or np.ptp(labels) == 0:
        raise QualityError(f"the {len(labels)} held-out customers all have the same label")
    rmse = float(np.sqrt(np.square(scores - labels).mean()))
    return LinearQuality(rows=len(labels), r2=float(r2_score(labels, scores)), rmse=rmse)


def hits_among_best(scores: Floats, positive: npt.NDArray[np.bool_], top: int) -> float:
    """Positives among the `top` best scores; ties at the edge share evenly."""
    edge = np.sort(scores)[-top]
    above, tied = scores > edge, scores == edge
    return float(positive[above].sum() + positive[tied].mean() * (top - above.sum()))


def _lift(scores: Floats, positive: npt.NDArray[np.bool_]) -> float:
    """Positives among the best tenth over positives among all."""
    top = max(1, round(len(scores) / DECILES))
    return float(hits_among_best(scores, positive, top) / top / positive.mean())


def _calibration(
    probabilities: Floats, positive: npt.NDArray[np.bool_]
) -> tuple[CalibrationBin, ...]:
    order = np.argsort(probabilities, kind="stable")
    tenths: list[npt.NDArray[Any]] = np.array_split(order, min(DECILES, len(order)))
    return tuple(
        CalibrationBin(
            predicted=float(probabilities[tenth].mean()),
            observed=float(positive[tenth].mean()),
            customers=len(tenth),
        )
        for tenth in tenths
    )
