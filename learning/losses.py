"""The loss each party watches (requirement T8)."""

import numpy as np
import numpy.typing as npt

from learning.fixed_point import Integers, from_grid
from learning.residuals import Kind

Floats = npt.NDArray[np.float64]


def logistic_loss(scores: Floats, labels: Floats) -> float:
    """Mean of log(1 + exp(-y u)), y in {-1, 1}: T8's formula in a form that can't overflow."""
    return float(np.logaddexp(0, -labels * scores).mean())


def squared_loss(scores: Floats, labels: Floats) -> float:
    """Half the mean squared error: the linear model's loss, whose derivative is u - y."""
    return float(np.square(scores - labels).mean() / 2)


def own_loss(scores: Integers, labels: Floats, kind: Kind) -> float:
    """A party's loss from its own partial scores (grid) alone."""
    loss = squared_loss if kind == "linear" else logistic_loss
    return loss(from_grid(scores), labels)
