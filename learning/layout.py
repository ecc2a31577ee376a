"""Which columns the variables of a party have, and with them which parameters it trains.

One-hot: a column a bin, the most that bins can say. Ordinal: one column whose value is the number
of the bin, for parties with thousands of variables: a fifth of the parameters, and of what a party
learns a round. A variable of more than two categories has no order, and always a column a bin.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from learning.binning import MOST_BINS, Rule, VariableBins
from learning.fixed_point import Codes, Integers, offsets

Coding = Literal["one-hot", "ordinal"]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Layout:
    """Numbers of bins, and whether a variable is ordinal; the parameters follow their order."""

    bins: tuple[int, ...]
    ordinal: tuple[bool, ...]

    @classmethod
    def one_hot(cls, bins: Iterable[int]) -> "Layout":
        counts = tuple(bins)
        return cls(counts, (False,) * len(counts))

    @classmethod
    def of(cls, variables: Iterable[VariableBins], coding: Coding) -> "Layout":
        known = tuple(variables)
        ordered = tuple(
            coding == "ordinal" and (cut.rule is not Rule.CATEGORY or cut.bins == 2)
            for cut in known
        )
        return cls(tuple(cut.bins for cut in known), ordered)

    @classmethod
    def joined(cls, layouts: Iterable["Layout"]) -> "Layout":
        """Of several parties side by side."""
        parts = list(layouts)
        bins = tuple(count for part in parts for count in part.bins)
        return cls(bins, tuple(ordinal for part in parts for ordinal in part.ordinal))

    @cached_property
    def starts(self) -> list[int]:
        """Where each variable's columns start; their number comes last."""
        both = zip(self.bins, self.ordinal, strict=True)
        return offsets([1 if ordinal else count for count, ordinal in both])

    @property
    def columns(self) -> int:
        return self.starts[-1]

    @property
    def largest_value(self) -> int:
        """The largest number in any column."""
        both = zip(self.bins, self.ordinal, strict=True)
        return max(count - 1 if ordinal else 1 for count, ordinal in both)

    def part(self, variables: slice) -> "Layout":
        return Layout(self.bins[variables], self.ordinal[variables])

    def values(self, codes: Codes, dtype: npt.DTypeLike = np.float32) -> npt.NDArray[np.floating]:
        """Shape (rows, columns), from codes of shape (variables, rows)."""
        values: npt.NDArray[np.floating] = np.zeros((codes.shape[1], self.columns), dtype)
        starts, ordinal = np.array(self.starts[:-1]), np.array(self.ordinal)
        values[:, starts[ordinal]] = codes[ordinal].T
        rows = np.arange(codes.shape[1])[:, None]
        values[rows, codes[~ordinal].T + starts[~ordinal]] = 1
        return values

    def expand(self, weights: Integers) -> Integers:
        """The weight of every bin, variable by variable: what scores are added up from."""
        parts = [
            weights[start] * np.arange(count) if ordinal else weights[start:end]
            for count, ordinal, (start, end) in self._ranges()
        ]
        return np.concatenate(parts)

    def contract(self, sums: Sequence[int]) -> list[int]:
        """Exact sums a column from sums a bin: the transpose of `expand`."""
        columns: list[int] = []
        bins = pairwise(offsets(self.bins))
        for (start, end), ordinal in zip(bins, self.ordinal, strict=True):
            of_bins = sums[start:end]
            whole = [sum(number * total for number, total in enumerate(of_bins))]
            columns += whole if ordinal else of_bins
        return columns

    def totals(self, sums: Sequence[int]) -> set[int]:
        """The sum over all rows as each one-hot variable tells it; they should agree."""
        return {sum(sums[start:end]) for _, ordinal, (start, end) in self._ranges() if not ordinal}

    def _ranges(self) -> Iterable[tuple[int, bool, tuple[int, int]]]:
        return zip(self.bins, self.ordinal, pairwise(self.starts), strict=True)


def largest_value(coding: Coding) -> int:
    """The largest number that any party's columns may hold under a coding."""
    return MOST_BINS - 1 if coding == "ordinal" else 1
