"""The residual: one integer a customer, a polynomial of the participants' scores (requirement T5).

With u = u_A + u_B, u_A the local party's score and u_B the participants' sum, the gradient of the
loss in u is written  g = (m u_B + k q_B + a) / scale  with q_B the sum of the participants'
squared scores and integers m, k and a that only the local party knows. The encrypted side computes
E(u_B)^m E(q_B)^k E(a), a plain run the same integers.

- taylor: the source's second-order expansion at 0, g = u/4 - y/2.
- smoothed: the polynomial of second degree that is nearest to s(u_A + u_B) on average, if u_B is
  normal with the spread v that the participants tell: with Z standard normal and t = u_A + v^.5 Z,
  g = E s(t) - (y + 1)/2 + E s'(t) u_B + E s"(t)/2 (q_B - v), the Hermite expansion.
- linear: least squares, g = u - y, exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np
import numpy.typing as npt

from learning.errors import FixedPointError
from learning.fixed_point import ONE, Integers, from_grid, to_grid

SLOPE_BITS = 12
SLOPE_ONE = 1 << SLOPE_BITS
QUADRATURE_NODES = 31
# The largest score of one party: for log-odds far beyond any use, for a linear model about a
# million. What is announced about sizes (slot_bits) rests on it, so every party enforces it.
LARGEST_LOG_ODDS = 1 << 8
LARGEST_LINEAR_SCORE = 1 << 20

Kind = Literal["logistic", "linear"]
Floats = npt.NDArray[np.float64]


class Residual(StrEnum):
    TAYLOR = "taylor"
    SMOOTHED = "smoothed"
    LINEAR = "linear"


@dataclass(frozen=True)
class ResidualPlan:
    """Integers m (int64[rows], or one for all), a and k (int64[rows]; None: no squares are used).

    `slope` is the mean derivative of g by u: the only number about them that is announced.
    """

    multipliers: Integers | int
    additions: Integers
    scale: int
    slope: float
    square_multipliers: Integers | None = None


def plan_residual(
    residual: Residual,
    own_scores: Integers,
    labels: npt.NDArray[np.float64],
    spread: float = 0.0,
) -> ResidualPlan:
    """The local party's part of the residual, from its scores (grid), labels and u_B's spread.

    Labels are -1 and 1, or any numbers for the linear residual. Raises FixedPointError for a score
    beyond the limit: the training diverged.
    """
    check_scores(residual, own_scores)
    if residual is Residual.LINEAR:
        return ResidualPlan(1, own_scores - to_grid(labels), ONE, 1.0)
    if residual is Residual.TAYLOR:
        # Four times g, so that the factor 1/4 needs no bits: u - 2y.
        return ResidualPlan(1, own_scores - to_grid(2 * labels), 4 * ONE, 0.25)
    return _plan_smoothed(own_scores, labels, spread)


def _plan_smoothed(
    own_scores: Integers, labels: npt.NDArray[np.float64], spread: float
) -> ResidualPlan:
    nodes, weights = np.polynomial.hermite_e.hermegauss(QUADRATURE_NODES)
    weights = weights / weights.sum()
    mean, slopes, curvatures = np.zeros((3, len(own_scores)))
    for node, weight in zip(nodes, weights, strict=True):
        level = sigmoid(from_grid(own_scores) + np.sqrt(spread) * node)
        slope = level * (1 - level)
        mean += weight * level
        slopes += weight * slope
        curvatures += weight * slope * (0.5 - level)  # s" / 2 = s' (1 - 2 s) / 2
    scale = SLOPE_ONE * ONE
    multipliers = np.rint(slopes * SLOPE_ONE).astype(np.int64)
    additions = np.rint((mean - (labels + 1) / 2 - curvatures * spread) * scale)
    return ResidualPlan(
        multipliers,
        additions.astype(np.int64),
        scale,
        float(multipliers.mean()) / SLOPE_ONE,
        np.rint(curvatures * SLOPE_ONE).astype(np.int64),
    )


def squared_scores(scores: Integers) -> Integers:
    """u^2 of one party's scores, on the grid as u is."""
    squares: npt.NDArray[np.float64] = np.rint(np.square(from_grid(scores)) * ONE)
    return squares.astype(np.int64)


def score_spread(squares: Integers) -> float:
    """The mean square of one party's (centred) scores: one number, exact before it is divided."""
    return int(squares.sum()) / (len(squares) * ONE)


def residual_values(
    plan: ResidualPlan, other_scores: Integers, other_squares: Integers | None = None
) -> Integers:
    """The residuals scale * g in the clear, int64[rows], from the participants' sums."""
    values: Integers = plan.multipliers * other_scores + plan.additions
    if plan.square_multipliers is not None and other_squares is not None:
        values += plan.square_multipliers * other_squares
    return values


def check_scores(residual: Residual, scores: Integers) -> None:
    """Raise FixedPointError where one party's scores leave the range that all sizes rest on."""
    limit = largest_score(residual)
    if scores.size and int(np.abs(scores).max()) > limit * ONE:
        raise FixedPointError(
            f"a score is beyond {limit} in size: the training diverged, or the label is too large; "
            "lower the learning rate, raise the penalty, or scale the label"
        )


def largest_score(residual: Residual) -> int:
    return LARGEST_LINEAR_SCORE if residual is Residual.LINEAR else LARGEST_LOG_ODDS


def largest_residual(residual: Residual, participants: int) -> int:
    """The bound on |scale * g| that follows from the bound on every party's score."""
    parties = participants + 1
    if residual is Residual.LINEAR:
        return (parties + 1) * LARGEST_LINEAR_SCORE * ONE
    if residual is Residual.TAYLOR:
        return (parties * LARGEST_LOG_ODDS + 2) * ONE
    linear = SLOPE_ONE // 4 * participants * LARGEST_LOG_ODDS + SLOPE_ONE
    # |s"| / 2 is below 1/20, and so is what it takes from the constant.
    return (linear + 2 * participants * SLOPE_ONE // 20 * LARGEST_LOG_ODDS**2) * ONE


def slot_bits(residual: Residual, participants: int, rows: int, largest_value: int = 1) -> int:
    """Bits of a signed sum, over up to `rows` customers, of residuals times a column's values."""
    largest = largest_residual(residual, participants) * rows * largest_value
    return largest.bit_length() + 1


def mean_gradient(sums: Sequence[int], total: int, scale: int, rows: int) -> Floats:
    """Exact sums of residuals a column as a mean gradient, float64[columns + 1].

    The sum of all residuals, `total`, comes last: the gradient of a constant. Dividing integers is
    correctly rounded, so no platform differs.
    """
    return np.array([value / (scale * rows) for value in [*sums, total]])


def sigmoid(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """1 / (1 + exp(-u)) without overflow."""
    decay = np.exp(-np.abs(scores))
    probabilities: npt.NDArray[np.float64] = np.where(scores >= 0, 1.0, decay) / (1 + decay)
    return probabilities
