"""What thresholds are worth on held-out customers, beside the joint score (requirement L3)."""

import numpy as np
import numpy.typing as npt

from learning.errors import QualityError
from learning.identifying import SWEEP
from learning.quality import Frozen, hits_among_best

# Figures are for people; the grid keeps the last bits of a float out of an event.
DIGITS = 9

Floats = npt.NDArray[np.float64]


class SweepPoint(Frozen):
    """Labels at one threshold, and the joint score's choice of as many customers.

    `share` is of the customers; None where nobody is labelled.
    """

    tau: float
    labelled: int
    share: float
    precision: float | None
    recall: float
    lift: float | None
    joint_precision: float | None


class SweepFigures(Frozen):
    """`auc` is that of F as far as the thresholds tell it, `joint_auc` that of the joint score."""

    rows: int
    positives: int
    auc: float
    joint_auc: float
    points: tuple[SweepPoint, ...]


def sweep_figures(levels: npt.NDArray[np.uint8], outcomes: Floats, scores: Floats) -> SweepFigures:
    """From how many thresholds F is above, outcomes -1/1 and joint scores, a row each.

    Raises QualityError for one class only.
    """
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - slow to import

    positive = outcomes > 0
    if positive.all() or not positive.any():
        raise QualityError(
            f"the {len(outcomes)} held-out customers are all of one class: hold out another fold"
        )
    return SweepFigures(
        rows=len(outcomes),
        positives=int(positive.sum()),
        auc=round(float(roc_auc_score(positive, levels)), DIGITS),
        joint_auc=round(float(roc_auc_score(positive, scores)), DIGITS),
        points=tuple(
            _point(tau, levels > place, positive, scores) for place, tau in enumerate(SWEEP)
        ),
    )


def _point(
    tau: float, chosen: npt.NDArray[np.bool_], positive: npt.NDArray[np.bool_], scores: Floats
) -> SweepPoint:
    count, hits = int(chosen.sum()), int((chosen & positive).sum())
    base = positive.mean()
    joint_hits = hits_among_best(scores, positive, count) if count else 0.0
    return SweepPoint(
        tau=tau,
        labelled=count,
        share=round(count / len(chosen), DIGITS),
        precision=round(hits / count, DIGITS) if count else None,
        recall=round(hits / int(positive.sum()), DIGITS),
        lift=round(float(hits / count / base), DIGITS) if count else None,
        joint_precision=round(joint_hits / count, DIGITS) if count else None,
    )
