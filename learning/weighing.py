"""How much each party's probabilities weigh when customers are identified (requirement L4)."""

from collections.abc import Sequence

import numpy as np

from learning.errors import LearningError


def combination_weights(losses: Sequence[float]) -> list[float]:
    """Inverse to the final losses, with the number of parties as their sum.

    Of two parties these are alpha = 2 L2 / (L1 + L2) and beta = 2 L1 / (L1 + L2). Raises
    LearningError for a loss that no model has.
    """
    if not all(np.isfinite(loss) and loss > 0 for loss in losses):
        raise LearningError("a final loss is not a positive number")
    inverse = [1 / loss for loss in losses]
    return [len(losses) * one / sum(inverse) for one in inverse]
