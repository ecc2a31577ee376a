"""How one party moves its own parameters, given the mean gradient through its own columns (T7).

A party's parameters are int64[columns + 1] on the grid: those of its columns, and a constant.
What a float solve returns is rounded to the grid before anyone uses it, so a run repeats exactly.

Only one party holds the intercept, but every party's columns have means (the bins of a variable
even sum to one). Were they all to follow the mean residual, each would correct the same one. So a
party that does not hold it moves its constant against its own mean, and its scores stay centred.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from learning.curvature import Constant, Curvature, Scaling
from learning.errors import LearningError
from learning.fixed_point import Integers, from_grid, to_grid

# The curvature is singular (the bins of a variable sum to one): the preconditioner, which need not
# be exact, keeps this much of a penalty even where the model has none.
SMALLEST_PENALTY = 1e-6

Floats = npt.NDArray[np.float64]


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


def descend(
    parameters: Parameters,
    gradient: Floats,
    penalty: float,
    constant: Constant,
    rate: float,
    scaling: Scaling | None = None,
) -> Update:
    """One step of plain gradient descent (the source's, 0033): w -= rate (gradient + penalty w).

    `gradient` is float64[columns + 1], as `mean_gradient` makes it. With a scaling it descends in
    columns of one common spread, and the parameters stay those of the columns as they are.
    """
    downhill = _downhill(parameters, gradient, penalty)
    step = -rate * downhill
    if constant is not Constant.INTERCEPT:
        step[-1] = 0
    if scaling is not None:
        step[:-1] = -rate * (downhill[:-1] - scaling.centres * downhill[-1]) / scaling.squares
        step[-1] -= (scaling.centres * step[:-1]).sum()
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
    right = downhill[:-1] - curvature.means * downhill[-1] if centred else downhill[:-1]
    # Threads sum in another order: with one, the result is the same on any number of cores.
    with threadpool_limits(1, "blas"):
        for columns, matrix in curvature.blocks:
            system = slope * matrix
            np.fill_diagonal(system, system.diagonal() + max(penalty, SMALLEST_PENALTY))
            newton[columns] = np.linalg.solve(system, right[columns])
        if centred:
            newton[-1] = -float(curvature.means @ newton[:-1])
    if curvature.constant is Constant.INTERCEPT:
        newton[-1] += downhill[-1] / slope
    return _move(parameters, downhill, momentum * from_grid(parameters.velocity) - damping * newton)


def safe_damping(blocks: int, damping: float = 0.6) -> float:
    """The damping for all data parties' blocks of columns: steps add up, and converge below 2/n."""
    return min(damping, 1.8 / blocks)


def safe_rate(variables: int, rate: float, steepest: float = 0.25) -> float:
    """A learning rate at which plain descent can't diverge, for all parties' variables together.

    A row has a one for each variable, and a scaled column a mean square of one, so X'X/n stretches
    nothing by more than their number.
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
