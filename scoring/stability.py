"""How far the customers of today differ from those of the training (population stability).

PSI = sum over bins of (a - e) ln(a / e), with the shares of today a and of the training e; below
0.1 little has changed, above 0.25 a model should be looked at (Siddiqi, Credit Risk Scorecards,
2006).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from learning.binning import Column, VariableBins, apply_bins
from scoring.features import column_name

WARNING = 0.25
SMALLEST_SHARE = 1e-4  # of an empty bin: a ratio to nothing says nothing


@dataclass(frozen=True)
class TrainingBins:
    """A variable of a model, and how many customers of the training fell in each of its bins."""

    model_id: str
    bins: VariableBins
    counts: tuple[int, ...]


class StabilityCount:
    """Counts the rows of today in the bins of the trainings."""

    def __init__(self, variables: Sequence[TrainingBins]) -> None:
        self._variables = variables
        self._counts = [np.zeros(one.bins.bins, np.int64) for one in variables]

    def add(self, batch: pa.RecordBatch) -> None:
        names = set(batch.schema.names)
        for at, variable in enumerate(self._variables):
            name = column_name(variable.bins.name)
            if name in names:
                codes = apply_bins(variable.bins, _column(batch.column(name)))
                self._counts[at] += np.bincount(codes, minlength=variable.bins.bins)

    def indices(self) -> Mapping[tuple[str, str], float]:
        """By model and variable; none where there is no row."""
        return {
            (one.model_id, one.bins.name): population_stability(one.counts, counts)
            for one, counts in zip(self._variables, self._counts, strict=True)
            if counts.sum() and sum(one.counts)
        }


def population_stability(expected: npt.ArrayLike, actual: npt.ArrayLike) -> float:
    """The index of two counts over the same bins; not negative, 0 for the same shares."""
    shares = []
    for counts in (expected, actual):
        found = np.asarray(counts, np.float64)
        shares.append(np.maximum(found / found.sum(), SMALLEST_SHARE))
    return float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))


def _column(array: pa.Array) -> Column:
    if pa.types.is_string(array.type):
        return np.array(array.to_pylist(), dtype=object)
    numbers: npt.NDArray[np.float64] = np.array(array.to_numpy(zero_copy_only=False), np.float64)
    numbers[np.isinf(numbers)] = np.nan
    return numbers
