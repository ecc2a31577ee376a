"""A model of one party's own features alone: where joint training may start (requirement T2)."""

import numpy as np
import numpy.typing as npt

from learning.curvature import Constant, measure_curvature
from learning.fixed_point import Codes, Integers, from_grid, partial_scores, to_grid
from learning.layout import Layout
from learning.optimisers import Parameters, descend_preconditioned
from learning.residuals import Kind, sigmoid

ENOUGH = 1e-9
MOST_STEPS = 100
# The logistic loss never bends more than this, so that steps scaled by it always lead downhill.
STEEPEST_SLOPE = 0.25

Floats = npt.NDArray[np.float64]


def pretrain(
    codes: Codes,
    layout: Layout,
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
    curvature = measure_curvature(codes, layout, fitted)
    columns = layout.columns
    parameters = Parameters(np.zeros(columns + 1, np.int64), np.zeros(columns + 1, np.int64))
    penalty = 1 / (inverse_penalty * codes.shape[1])
    for _ in range(MOST_STEPS):
        scores = _scores(codes, parameters.weights, layout)
        residuals = scores - labels if kind == "linear" else sigmoid(scores) - (labels + 1) / 2
        update = descend_preconditioned(
            parameters,
            float_gradient(residuals, codes, layout),
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
        mean = _scores(codes, weights, layout).mean() - from_grid(weights[-1])
        weights[-1] = to_grid(-mean)
    return weights


def float_gradient(residuals: Floats, codes: Codes, layout: Layout) -> Floats:
    """The mean gradient float64[columns + 1] of residuals known in the clear."""
    gradient = np.empty(layout.columns + 1)
    of_variables = zip(codes, layout.bins, layout.ordinal, layout.starts, strict=False)
    for row_codes, count, ordinal, start in of_variables:
        sums = np.bincount(row_codes, residuals, count)
        if ordinal:
            gradient[start] = (np.arange(count) * sums).sum()
        else:
            gradient[start : start + count] = sums
    gradient[-1] = residuals.sum()
    return gradient / len(residuals)


def _scores(codes: Codes, weights: Integers, layout: Layout) -> Floats:
    of_bins = layout.expand(weights[:-1])
    return from_grid(partial_scores(codes, of_bins, layout.bins, int(weights[-1])))
