"""Joining the parts of a prediction (requirement S3): sums first, then one function of the sum."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from scoring.errors import ScoringError
from scoring.models.document import Combination

Floats = npt.NDArray[np.float64]


def combine(combination: Combination, parts: Sequence[npt.ArrayLike]) -> Floats:
    """Predictions float64[rows] or float64[rows, outputs], in the shape of the parts.

    Logistic regression and binary trees: sigmoid of the sum; several classes and deep networks:
    softmax of the summed vectors; regression: the sum. Exact for scores of any finite size; a part
    that is not a number makes the whole one that is not.
    """
    arrays = [np.asarray(part, np.float64) for part in parts]
    if not arrays or {array.shape for array in arrays} != {arrays[0].shape}:
        raise ScoringError("the parts of a prediction must be as many, of one shape")
    if combination == "softmax" and (arrays[0].ndim != 2 or arrays[0].shape[1] < 2):
        raise ScoringError("a softmax needs the scores of at least two classes")
    summed: Floats = np.sum(arrays, axis=0)
    if combination == "sigmoid":
        return _sigmoid(summed)
    return _softmax(summed) if combination == "softmax" else summed


def _sigmoid(scores: Floats) -> Floats:
    """1 / (1 + exp(-s)), with exp of negative numbers only, which can't overflow."""
    small = np.exp(-np.abs(scores))
    chances: Floats = np.where(scores >= 0, 1 / (1 + small), small / (1 + small))
    return chances


def _softmax(scores: Floats) -> Floats:
    weights: Floats = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights
