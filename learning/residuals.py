"""The residual: one integer a customer, linear in the participants' scores (requirement T5).

With u = u_A + u_B, u_A the local party's score and u_B the participants' sum, the gradient of the
loss in u is written  g = (m u_B + a) / scale  with integers m and a that only the local party
knows. The encrypted side computes E(u_B)^m E(a), a plain run m u_B + a: the same integers.

- taylor: the source's second-order expansion at 0, g = u/4 - y/2.
- expansion: the sigmoid s expanded at u_A, g = s(u_A) - (y + 1)/2 + s'(u_A) u_B.
- linear: least squares, g = u - y, exact.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from learning.errors import FixedPointError
from learning.fixed_point import ONE, Integers, from_grid, to_grid

SLOPE_BITS = 12
SLOPE_ONE = 1 << SLOPE_BITS
# The largest score of one party: for log-odds far beyond any use, for a linear model about a
# million. What is announced about sizes (slot_bits) rests on it, so every party enforces it.
LARGEST_LOG_ODDS = 1 << 8
LARGEST_LINEAR_SCORE = 1 << 20


class Residual(StrEnum):
    TAYLOR = "taylor"
    EXPANSION = "expansion"
    LINEAR = "linear"


@dataclass(frozen=True)
class ResidualPlan:
    """Integers m (int64[rows], or one for all) and a (int64[rows]) of g = (m u_B + a) / scale.

    `slope` is the mean derivative of g by u: the only number about them that is announced.
    """

    multipliers: Integers | int
    additions: Integers
    scale: int
    slope: float


def plan_residual(
    residual: Residual, own_scores: Integers, labels: npt.NDArray[np.float64]
) -> ResidualPlan:
    """The local party's part of the residual, from its scores (grid) and labels.

    Labels are -1 and 1, or any numbers for the linear residual. Raises FixedPointError for a score
    beyond the limit: the training diverged.
    """
    check_scores(residual, own_scores)
    if residual is Residual.LINEAR:
        return ResidualPlan(1, own_scores - to_grid(labels), ONE, 1.0)
    if residual is Residual.TAYLOR:
        # Four times g, so that the factor 1/4 needs no bits: u - 2y.
        return ResidualPlan(1, own_scores - to_grid(2 * labels), 4 * ONE, 0.25)
    probabilities = sigmoid(from_grid(own_scores))
    slopes = np.rint(probabilities * (1 - probabilities) * SLOPE_ONE).astype(np.int64)
    scale = SLOPE_ONE * ONE
    additions = np.rint((probabilities - (labels + 1) / 2) * scale).astype(np.int64)
    return ResidualPlan(slopes, additions, scale, float(slopes.mean()) / SLOPE_ONE)


def residual_values(plan: ResidualPlan, other_scores: Integers) -> Integers:
    """The residuals scale * g in the clear, int64[rows], from the participants' summed scores."""
    return plan.multipliers * other_scores + plan.additions


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
    return (SLOPE_ONE // 4 * participants * LARGEST_LOG_ODDS + SLOPE_ONE) * ONE


def slot_bits(residual: Residual, participants: int, rows: int) -> int:
    """Bits of a signed sum of residuals over up to `rows` customers."""
    return (largest_residual(residual, participants) * rows).bit_length() + 1


def mean_gradient(sums: list[int], scale: int, rows: int) -> npt.NDArray[np.float64]:
    """Exact integer sums as floats a row; the division of integers is correctly rounded."""
    return np.array([total / (scale * rows) for total in sums])


def sigmoid(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """1 / (1 + exp(-u)) without overflow."""
    decay = np.exp(-np.abs(scores))
    probabilities: npt.NDArray[np.float64] = np.where(scores >= 0, 1.0, decay) / (1 + decay)
    return probabilities
