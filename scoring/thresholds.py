"""Comparisons of other precisions as comparisons of doubles, exact for every double."""

from math import inf, nextafter

import numpy as np

from scoring.literals import LARGEST


def left_end(threshold: float, comparison: str, precision: int) -> float:
    """The largest double that goes left: `x < t` or `x <= t` is then `x <= left_end`.

    With 32 bits the input is rounded to single precision first, as XGBoost and scikit-learn's
    trees do. Rounding keeps order, so the doubles that go left are those up to a midpoint between
    two singles, or to just below it: an engine needs no single precision, and none overflows.
    """
    if precision == 64:
        end = nextafter(threshold, -inf) if comparison == "<" else threshold
        return min(max(end, -LARGEST), LARGEST)
    with np.errstate(over="ignore"):
        first_right = np.float32(threshold)
        while not _goes_right(float(first_right), threshold, comparison):
            first_right = np.nextafter(first_right, np.float32(inf))
        last_left = np.nextafter(first_right, np.float32(-inf))
        upper = 2.0**128 if np.isinf(first_right) else float(first_right)
        lower = -(2.0**128) if np.isinf(last_left) else float(last_left)
        midpoint = (lower + upper) / 2
        rounds_up = np.float32(midpoint) == first_right
    return nextafter(midpoint, -inf) if rounds_up else midpoint


def _goes_right(value: float, threshold: float, comparison: str) -> bool:
    return value >= threshold if comparison == "<" else value > threshold
