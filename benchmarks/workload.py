"""What a benchmarked round is about, and how customers share ciphertexts in it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.layout import Coding, largest_value
from learning.residuals import Residual, slot_bits
from paillier.packing_choice import GradientShape, RoundShape, choose_packing
from paillier.sample_packing import SamplePacking


class BenchmarkError(Exception):
    """A result is not what numpy says: there is nothing to time."""


@dataclass(frozen=True)
class Workload:
    """One data party's gradient and the residuals for it, besides the number of features."""

    rows: int
    bins: int
    residual: Residual
    coding: Coding = "one-hot"

    @property
    def degree(self) -> int:
        return 2 if self.residual is Residual.SMOOTHED else 1

    @property
    def sum_bits(self) -> int:
        return slot_bits(self.residual, 1, self.rows, largest_value(self.coding))

    def sums(self, features: int) -> int:
        """One a bin, or one a feature and the total."""
        return features + 1 if self.coding == "ordinal" else features * self.bins

    def packing(self, features: int, key_bits: int) -> SamplePacking | None:
        """By the protocol's rule, with a local party of a single feature."""
        if self.residual is Residual.SMOOTHED:
            return None
        gradients = tuple(
            GradientShape(count, self.bins, self.sums(count)) for count in (1, features)
        )
        return choose_packing(RoundShape(self.rows, key_bits, self.sum_bits, gradients), None)


def check_gradient(
    sums: list[int], residuals: NDArray[np.object_], codes: NDArray[np.uint8], work: Workload
) -> None:
    """The sums of one-hot columns, and through them of numeric ones, are what numpy says.

    Ordinal columns are numeric as they are; the total comes last.
    """
    values = residuals.astype(np.int64)
    numeric = [int(values @ row.astype(np.int64)) for row in codes]
    if work.coding == "ordinal":
        expected, found = [*numeric, int(values.sum())], sums
    else:
        of_bins = [int(values[row == one].sum()) for row in codes for one in range(work.bins)]
        weighed = np.array(sums, dtype=object).reshape(len(codes), work.bins) @ range(work.bins)
        expected, found = of_bins + numeric, sums + list(weighed)
    if found != expected:
        raise BenchmarkError("an encrypted gradient is not what numpy says")
