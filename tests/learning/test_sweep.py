"""What a threshold is worth: share, precision, recall and lift, beside the joint score (L3)."""

import numpy as np
import pytest

from learning.errors import QualityError
from learning.identifying import SWEEP
from learning.sweep import sweep_figures

# F is above so many of the sweep's thresholds.
LEVELS = np.array([14, 10, 6, 6, 2, 0], np.uint8)
OUTCOMES = np.array([1, -1, 1, -1, -1, -1], np.float64)
JOINT = np.array([3.0, 2.0, 2.5, 0.0, -1.0, -2.0])


def test_figures_are_those_counted_by_hand() -> None:
    figures = sweep_figures(LEVELS, OUTCOMES, JOINT)
    assert (figures.rows, figures.positives) == (6, 2)
    by_tau = {point.tau: point for point in figures.points}
    assert tuple(by_tau) == SWEEP
    low = by_tau[0.01]
    assert (low.labelled, low.recall) == (5, 1.0)
    assert (low.share, low.precision, low.lift) == pytest.approx((5 / 6, 2 / 5, 6 / 5))
    high = by_tau[0.5]  # levels 10 and 14 are above it
    assert (high.labelled, high.precision, high.recall) == (2, 0.5, 0.5)
    assert high.joint_precision == 1.0
    assert figures.joint_auc == 1.0
    # Of the eight pairs, F has five in order, and one tie.
    assert figures.auc == pytest.approx((4 + 2 + 0.5) / 8)


def test_a_threshold_that_nobody_is_above_has_no_precision() -> None:
    figures = sweep_figures(np.zeros(6, np.uint8), OUTCOMES, JOINT)
    assert all(point.labelled == 0 for point in figures.points)
    assert {(one.precision, one.lift, one.joint_precision) for one in figures.points} == {
        (None, None, None)
    }


def test_one_class_alone_has_no_figures() -> None:
    with pytest.raises(QualityError, match="all of one class"):
        sweep_figures(LEVELS, np.ones(6), JOINT)
