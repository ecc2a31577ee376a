"""How one party moves its own parameters, given the mean gradient through its own columns (T7).

A party's parameters are int64[columns + 1] on the grid: the bins of its variables, and a constant.
What a float solve returns is rounded to the grid before anyone uses it, so a run repeats exactly.

Only one party holds the intercept, but every party's columns span the constant (the bins of a
variable sum to one). Were they all to follow it, each would correct the same mean residual. So a
party that does not hold it moves its constant against its own mean, and its scores stay centred.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from learning.errors import LearningError
from learning.fixed_point import Codes, Integers, from_grid, offsets, to_grid

# A block of this many columns is solved in about a second; wider parties use several blocks.
LARGEST_BLOCK = 4_000
ROWS_AT_A_TIME = 8_192
# The curvature is singular (the bins of a variable sum to one): the preconditioner, which need not
# be exact, keeps this much of a penalty even where the model has none.
SMALLEST_PENALTY = 1e-6

Floats = npt.NDArray[np.float64]


class Constant(StrEnum):
    """What a party's last parameter is: the intercept, minus the mean of its scores, or nothing."""

    INTERCEPT = "intercept"
    CENTRE = "centre"
    NONE = "none"


@dataclass(frozen=True)
class Parameters:
    """One party's parameters on the grid, the constant last, and their last step (momentum)."""

    weights: Integers
    velocity: Integers


@dataclass(frozen=True)
class Update:
    """New parameters, and the decrease of the joint loss a row that the step should bring."""

    parameters: Parameters
    predicted_decrease: float


@dataclass(frozen=True)
class Curvature:
    """X'X/n of a party's columns in diagonal blocks, about their means `shares` (not for NONE).

    A block is a range of columns and its matrix.
    """

    constant: Constant
    shares: Floats
    blocks: tuple[tuple[slice, Floats], ...]


def measure_curvature(
    codes: Codes, bins: Sequence[int], constant: Constant, largest_block: int = LARGEST_BLOCK
) -> Curvature:
    """Count how often two bins meet: exact integers, whatever the order or number of threads."""
    rows, starts = codes.shape[1], offsets(bins)
    shares = np.empty(starts[-1])
    blocks = []
    for first, end in _split(bins, largest_block):
        columns = slice(starts[first], starts[end])
        matrix = _joint_counts(codes[first:end], bins[first:end]) / rows
        shares[columns] = np.diag(matrix)
        if constant is not Constant.NONE:
            matrix -= np.outer(shares[columns], shares[columns])
        blocks.append((columns, matrix))
    return Curvature(constant, shares, tuple(blocks))


def descend(
    parameters: Parameters, gradient: Floats, penalty: float, constant: Constant, rate: float
) -> Update:
    """One step of plain gradient descent (the source's, 0033): w -= rate (gradient + penalty w).

    `gradient` is float64[columns + 1], as `mean_gradient` makes it.
    """
    downhill = _downhill(parameters, gradient, penalty)
    step = -rate * downhill
    if constant is not Constant.INTERCEPT:
        step[-1] = 0
    return _move(parameters, downhill, step)


def descend_preconditioned(
    parameters: Parameters,
    gradient: Floats,
    penalty: float,
    curvature: Curvature,
    slope: float,
    *,
    damping: float,
    momentum: float,
) -> Update:
    """One damped Newton step on the party's own block, with momentum.

    w -= damping (slope X'X/n + penalty I0)^-1 (gradient + penalty w) - momentum (last step), the
    constant eliminated. `slope` is the residual's mean derivative, announced every round.
    """
    if not 0 < slope < np.inf:
        raise LearningError(f"the announced slope is {slope}: it has to be positive and finite")
    downhill = _downhill(parameters, gradient, penalty)
    newton = np.zeros_like(downhill)
    centred = curvature.constant is not Constant.NONE
    right = downhill[:-1] - curvature.shares * downhill[-1] if centred else downhill[:-1]
    # Threads sum in another order: with one, the result is the same on any number of cores.
    with threadpool_limits(1, "blas"):
        for columns, matrix in curvature.blocks:
            ridge = max(penalty, SMALLEST_PENALTY) * np.eye(len(matrix))
            newton[columns] = np.linalg.solve(slope * matrix + ridge, right[columns])
        if centred:
            newton[-1] = -float(curvature.shares @ newton[:-1])
    if curvature.constant is Constant.INTERCEPT:
        newton[-1] += downhill[-1] / slope
    return _move(parameters, downhill, momentum * from_grid(parameters.velocity) - damping * newton)


def safe_damping(data_parties: int, damping: float = 0.6) -> float:
    """The damping for a number of data parties: block steps add up, and converge below 2/n."""
    return min(damping, 1.8 / data_parties)


def safe_rate(variables: int, rate: float, steepest: float = 0.25) -> float:
    """A learning rate at which plain descent can't diverge, for all parties' variables together.

    A row has a one for each variable, so X'X/n stretches nothing by more than their number.
    `steepest` is the residual's derivative: 1/4 for Taylor at 0, 1 for the linear one.
    """
    return min(rate, 1 / (steepest * variables))


def _downhill(parameters: Parameters, gradient: Floats, penalty: float) -> Floats:
    """The gradient of loss and penalty; the constant is not penalised."""
    downhill = gradient.copy()
    downhill[:-1] += penalty * from_grid(parameters.weights[:-1])
    return downhill


def _move(parameters: Parameters, downhill: Floats, step: Floats) -> Update:
    velocity = to_grid(step)
    weights = to_grid(from_grid(parameters.weights + velocity))
    with threadpool_limits(1, "blas"):
        decrease = abs(float(downhill @ from_grid(velocity)))
    return Update(Parameters(weights, velocity), decrease)


def _split(bins: Sequence[int], largest: int) -> list[tuple[int, int]]:
    """Ranges of whole variables with at most `largest` columns together."""
    ranges: list[tuple[int, int]] = []
    first = columns = 0
    for variable, count in enumerate(bins):
        if columns + count > largest and variable > first:
            ranges.append((first, variable))
            first, columns = variable, 0
        columns += count
    return [*ranges, (first, len(bins))]


def _joint_counts(codes: Codes, bins: Sequence[int]) -> Floats:
    """X'X of one-hot columns; products of chunks are counts below 2^24, exact even in float32."""
    starts = np.array(offsets(bins))
    counts = np.zeros((starts[-1], starts[-1]))
    for begin in range(0, codes.shape[1], ROWS_AT_A_TIME):
        chunk = codes[:, begin : begin + ROWS_AT_A_TIME].T
        one_hot = np.zeros((len(chunk), starts[-1]), np.float32)
        one_hot[np.arange(len(chunk))[:, None], chunk + starts[:-1]] = 1
        counts += one_hot.T @ one_hot
    return counts
