"""A model of one party's own features alone: where joint training may start (requirement T2)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from learning.fixed_point import Codes, Integers, from_grid, offsets, partial_scores, to_grid
from learning.optimisers import (
    Constant,
    Parameters,
    descend_preconditioned,
    measure_curvature,
)
from learning.residuals import Kind, sigmoid

ENOUGH = 1e-9
MOST_STEPS = 100
# The logistic loss never bends more than this, so that steps scaled by it always lead downhill.
STEEPEST_SLOPE = 0.25

Floats = npt.NDArray[np.float64]


def pretrain(
    codes: Codes,
    bins: Sequence[int],
    labels: Floats,
    *,
    kind: Kind,
    inverse_penalty: float,
    constant: Constant,
) -> Integers:
    """Fit a party's own model; int64[columns + 1] on the grid, the constant last.

    Labels are -1 and 1 (logistic) or any numbers (linear). The penalty is scikit-learn's:
    1/(inverse_penalty rows) on all but the constant. A party that centres its scores is fitted
    with an intercept of its own, which is then left to the party that holds it.
    """
    fitted = Constant.INTERCEPT if constant is Constant.CENTRE else constant
    curvature = measure_curvature(codes, bins, fitted)
    columns = sum(bins)
    parameters = Parameters(np.zeros(columns + 1, np.int64), np.zeros(columns + 1, np.int64))
    penalty = 1 / (inverse_penalty * codes.shape[1])
    for _ in range(MOST_STEPS):
        scores = _scores(codes, parameters.weights, bins)
        residuals = scores - labels if kind == "linear" else sigmoid(scores) - (labels + 1) / 2
        update = descend_preconditioned(
            parameters,
            float_gradient(residuals, codes, bins),
            penalty,
            curvature,
            1.0 if kind == "linear" else STEEPEST_SLOPE,
            damping=1 / len(curvature.blocks),
            momentum=0,
        )
        parameters = update.parameters
        if update.predicted_decrease <= ENOUGH:
            break
    weights = parameters.weights.copy()
    if constant is Constant.CENTRE:
        mean = _scores(codes, weights, bins).mean() - from_grid(weights[-1])
        weights[-1] = to_grid(-mean)
    return weights


def float_gradient(residuals: Floats, codes: Codes, bins: Sequence[int]) -> Floats:
    """The mean gradient float64[columns + 1] of residuals known in the clear."""
    starts = offsets(bins)
    gradient = np.empty(starts[-1] + 1)
    for row_codes, start, count in zip(codes, starts, bins, strict=False):
        gradient[start : start + count] = np.bincount(row_codes, residuals, count)
    gradient[-1] = residuals.sum()
    return gradient / len(residuals)


def _scores(codes: Codes, weights: Integers, bins: Sequence[int]) -> Floats:
    return from_grid(partial_scores(codes, weights[:-1], bins, int(weights[-1])))
