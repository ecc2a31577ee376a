"""The grid all parties compute on: integers, so that every sum across parties is exact.

Parameters and scores are multiples of 2^-24. A score is a sum of grid parameters, so it carries no
rounding of its own and does not depend on the order of rows, columns or parties.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from learning.errors import FixedPointError

SCORE_BITS = 24
ONE = 1 << SCORE_BITS
# Floats hold integers exactly up to here, so grid -> float -> grid loses nothing.
LARGEST = 1 << 53

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.uint8]


def to_grid(values: npt.ArrayLike) -> Integers:
    """Round floats to the grid; raises FixedPointError for NaN and for 2^29 or more in size."""
    scaled = np.rint(np.asarray(values, np.float64) * ONE)
    if not (np.abs(scaled) < LARGEST).all():
        raise FixedPointError(
            f"a number is not finite, or {LARGEST // ONE} or more in size: the training diverged; "
            "lower the learning rate or raise the penalty"
        )
    return scaled.astype(np.int64)


def from_grid(values: npt.ArrayLike) -> Floats:
    return np.asarray(values, np.int64) / ONE


def offsets(bins: Sequence[int]) -> list[int]:
    """Where each variable's bins start in a flat vector of all bins; its length comes last."""
    return [0, *np.cumsum(bins, dtype=np.int64).tolist()]


def partial_scores(
    codes: Codes, weights: Integers, bins: Sequence[int], intercept: int = 0
) -> Integers:
    """A party's own scores, int64[rows] on the grid: the sum of its active bins' weights.

    `codes` is uint8[variables, rows], `weights` int64[sum(bins)] on the grid (requirements T4, T5).
    """
    scores = np.full(codes.shape[1], intercept, np.int64)
    for row_codes, start, end in zip(codes, *_ranges(bins), strict=True):
        scores += weights[start:end][row_codes]
    return scores


def bin_sums(values: npt.NDArray[np.int64], codes: Codes, bins: Sequence[int]) -> list[int]:
    """Exact sums of a value over the rows of each bin, all variables' bins in a row (T6).

    The plain twin of an encrypted gradient; the sum over any one variable's bins is the gradient
    of an intercept. Values of 2^31 or more in size are split so that no partial sum overflows.
    """
    low, high = values & 0xFFFFFFFF, values >> 32
    sums: list[int] = []
    for row_codes, count in zip(codes, bins, strict=True):
        halves = np.zeros((2, count), np.int64)
        np.add.at(halves[0], row_codes, low)
        np.add.at(halves[1], row_codes, high)
        sums += [(int(upper) << 32) + int(lower) for lower, upper in halves.T]
    return sums


def _ranges(bins: Sequence[int]) -> tuple[list[int], list[int]]:
    starts = offsets(bins)
    return starts[:-1], starts[1:]
