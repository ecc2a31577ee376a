"""How one party moves its own parameters, given the mean gradient through its own columns (T7).

A party's columns are the one-hot bins of its variables, and a last column of ones where it holds
the intercept. Parameters and velocity live on the grid: what a float solve returns is rounded
before anyone uses it, so a run can be repeated exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Parameters:
    """One party's parameters on the grid, int64[columns], and the last step (for momentum)."""

    weights: Integers
    velocity: Integers


@dataclass(frozen=True)
class Update:
    """New parameters, and the decrease of the joint loss a row that the step should bring."""

    parameters: Parameters
    predicted_decrease: float


@dataclass(frozen=True)
class Curvature:
    """X'X/n of a party's columns in diagonal blocks; the intercept belongs to the first.

    `blocks` hold column numbers and a matrix each; `penalised` is 0 at the intercept.
    """

    blocks: tuple[tuple[npt.NDArray[np.intp], Floats], ...]
    penalised: Floats


def start(columns: int, weights: Integers | None = None) -> Parameters:
    """Zero, or given starting parameters (T2), at rest."""
    zero = np.zeros(columns, np.int64)
    return Parameters(zero if weights is None else weights, zero)


def penalised_columns(columns: int, *, intercept: bool) -> Floats:
    """1 where the penalty applies: everywhere but at the intercept, the last column."""
    penalised = np.ones(columns)
    if intercept:
        penalised[-1] = 0
    return penalised


def measure_curvature(
    codes: Codes,
    bins: Sequence[int],
    *,
    intercept: bool,
    centred: bool = False,
    largest_block: int = LARGEST_BLOCK,
) -> Curvature:
    """Count how often two bins meet: exact integers, whatever the order or number of threads.

    `centred` takes the columns' means away, for a party whose columns share an intercept that
    another party holds: the constant is then moved by the intercept alone.
    """
    rows, starts = codes.shape[1], offsets(bins)
    blocks = []
    for first, end in _split(bins, largest_block - intercept):
        columns = np.arange(starts[first], starts[end])
        ones = intercept and first == 0
        counts = _joint_counts(codes[first:end], bins[first:end], ones=ones)
        matrix = counts / rows
        if centred:
            share = np.diag(matrix)
            matrix = matrix - np.outer(share, share)
        blocks.append((np.append(columns, starts[-1]) if ones else columns, matrix))
    return Curvature(tuple(blocks), penalised_columns(starts[-1] + intercept, intercept=intercept))


def descend(
    parameters: Parameters, gradient: Floats, penalty: float, penalised: Floats, rate: float
) -> Update:
    """One step of plain gradient descent (the source's, 0033): w -= rate (gradient + penalty w)."""
    weights = from_grid(parameters.weights)
    slope = gradient + penalty * penalised * weights
    return _move(parameters, slope, -rate * slope)


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

    w -= damping (slope X'X/n + penalty I0)^-1 (gradient + penalty w) - momentum (last step);
    `slope` is the residual's mean derivative, the only thing another party tells.
    """
    if not 0 < slope < np.inf:
        raise LearningError(f"the announced slope is {slope}: it has to be positive and finite")
    weights = from_grid(parameters.weights)
    downhill = gradient + penalty * curvature.penalised * weights
    step = momentum * from_grid(parameters.velocity)
    # Threads sum in another order: with one, the result is the same on any number of cores.
    with threadpool_limits(1, "blas"):
        for columns, matrix in curvature.blocks:
            ridge = max(penalty, SMALLEST_PENALTY) * curvature.penalised[columns]
            step[columns] -= damping * np.linalg.solve(
                slope * matrix + np.diag(ridge), downhill[columns]
            )
    return _move(parameters, downhill, step)


def safe_damping(data_parties: int, damping: float = 0.6) -> float:
    """The damping for a number of data parties: block steps add up, and converge below 2/n."""
    return min(damping, 1.8 / data_parties)


def _move(parameters: Parameters, slope: Floats, step: Floats) -> Update:
    velocity = to_grid(step)
    weights = parameters.weights + velocity
    to_grid(from_grid(weights))  # refuses parameters that left the grid
    with threadpool_limits(1, "blas"):
        decrease = abs(float(slope @ from_grid(velocity)))
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


def _joint_counts(codes: Codes, bins: Sequence[int], *, ones: bool) -> Floats:
    """X'X of one-hot columns; products of chunks are counts below 2^24, exact even in float32."""
    starts = np.array(offsets(bins))
    width = int(starts[-1]) + ones
    counts = np.zeros((width, width))
    for begin in range(0, codes.shape[1], ROWS_AT_A_TIME):
        chunk = codes[:, begin : begin + ROWS_AT_A_TIME]
        one_hot = np.zeros((chunk.shape[1], width), np.float32)
        one_hot[np.arange(chunk.shape[1])[:, None], chunk.T + starts[:-1]] = 1
        if ones:
            one_hot[:, -1] = 1
        counts += one_hot.T @ one_hot
    return counts
