"""Cutting columns into bins (requirements P3 to P5).

A number belongs to the interval it falls in, and a number on an edge to the lower interval. A
missing value counts as minus infinity: it has the lowest bin to itself where enough training
customers lack the value, and shares it otherwise. A text belongs to its category. Everything is
learned on the training rows and kept in `VariableBins`, so that scoring cuts alike.
"""

from enum import StrEnum
from itertools import pairwise
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from learning.errors import BinningError, ConstantColumnError

SMALLEST_BIN = 20
MOST_BINS = 255
FIFTHS = 5
# The largest negative number that every SQL engine reads back: "x <= BELOW_ZERO" says "x < 0".
BELOW_ZERO = -float(np.finfo(np.float64).tiny)

Floats = npt.NDArray[np.float64]
Texts = npt.NDArray[np.object_]
Column = Floats | Texts
Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.uint8]


class Rule(StrEnum):
    """How a column is cut; `values` gives each of at most a few distinct numbers its own bin."""

    QUANTILE = "quantile"
    ZERO_NONZERO = "zero_nonzero"
    SIGN = "sign"
    PRESENCE = "presence"
    VALUES = "values"
    CATEGORY = "category"


class VariableBins(BaseModel):
    """The bins of one variable. Codes run from 0; `labels` has one line a bin, for people.

    `edges` are the inclusive upper ends of the intervals (absolute values for zero_nonzero);
    `categories` have a bin each, in this order, and every other text falls in `other_bin`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    rule: Rule
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    other_bin: int = 0
    has_missing_bin: bool
    labels: tuple[str, ...]
    merged: int = 0

    @property
    def bins(self) -> int:
        return len(self.labels)

    @property
    def first_bin(self) -> int:
        """The code of the lowest interval or category."""
        return int(self.has_missing_bin)

    @property
    def missing_bin(self) -> int:
        by_category = self.rule is Rule.CATEGORY and not self.has_missing_bin
        return self.other_bin if by_category else 0


def learn_bins(
    name: str,
    column: Column,
    training: Mask,
    rule: Rule | None = None,
    smallest_bin: int = SMALLEST_BIN,
) -> VariableBins:
    """Learn one column's bins on its training rows (P5); the rule is found where none is given.

    `column` is float64 with NaN for missing, or objects: text, None for missing. Raises
    ConstantColumnError where one bin would hold all, BinningError for infinity and unfit rules.
    """
    if is_text(column):
        if rule in (None, Rule.CATEGORY):
            return _learn_categories(name, column[training], smallest_bin)
        if rule is not Rule.PRESENCE:
            raise BinningError(f"column {name} is text: the rule {rule} is for numbers")
    elif rule is Rule.CATEGORY:
        raise BinningError(f"column {name} is numeric: the rule category is for text")
    rows = _numbers(column)[training]
    present: Floats = np.sort(rows[~np.isnan(rows)])
    if present.size and not (np.isfinite(present[0]) and np.isfinite(present[-1])):
        raise BinningError(f"column {name} holds infinity; make such values missing, or mend them")
    return _learn_intervals(name, present, len(rows) - len(present), rule, smallest_bin)


def apply_bins(bins: VariableBins, column: Column) -> Codes:
    """Code every row of a column: uint8[rows], by the stored bins alone."""
    if bins.rule is Rule.CATEGORY:
        if not is_text(column):
            raise BinningError(f"column {bins.name} was text in training and is numeric now")
        code_of: dict[Any, int] = {None: bins.missing_bin}
        code_of |= {text: code for code, text in enumerate(bins.categories, bins.first_bin)}
        return np.fromiter((code_of.get(text, bins.other_bin) for text in column), np.uint8)
    if is_text(column) and bins.rule is not Rule.PRESENCE:
        raise BinningError(f"column {bins.name} was numeric in training and is text now")
    numbers = _numbers(column)
    if np.isinf(numbers).any():
        raise BinningError(f"column {bins.name} holds infinity; make such values missing")
    edges = np.array(bins.edges, np.float64)
    measured = np.abs(numbers) if bins.rule is Rule.ZERO_NONZERO else numbers
    codes = np.searchsorted(edges, measured, side="left").astype(np.uint8)
    codes += np.uint8(bins.first_bin)
    codes[np.isnan(numbers)] = bins.missing_bin
    return codes


def is_text(column: Column) -> TypeGuard[Texts]:
    return column.dtype == np.object_


def _numbers(column: Column) -> Floats:
    """A numeric column as it is; a text as a number that is there (0) or missing (NaN)."""
    if is_text(column):
        return np.array([np.nan if text is None else 0.0 for text in column], np.float64)
    return column.astype(np.float64, copy=False)


def _learn_intervals(
    name: str, present: Floats, missing: int, rule: Rule | None, smallest_bin: int
) -> VariableBins:
    """Edges for the sorted `present` numbers, small bins merged into the smaller neighbour."""
    rule = rule or find_rule(present, smallest_bin)
    measured = np.sort(np.abs(present)) if rule is Rule.ZERO_NONZERO else present
    # An edge at or above the largest value would leave an empty bin above it.
    edges = [edge for edge in _edges(rule, measured) if edge < measured[-1]] if len(present) else []
    has_missing_bin = missing >= smallest_bin
    sizes = np.diff(np.searchsorted(measured, edges, side="right"), prepend=0, append=len(measured))
    if not has_missing_bin:
        sizes[0] += missing
    counts = sizes.tolist()
    merged = 0
    while len(counts) > 1 and min(counts) < smallest_bin:
        at = counts.index(min(counts))
        upper = at == 0 or (at + 1 < len(counts) and counts[at + 1] < counts[at - 1])
        lower = at if upper else at - 1
        counts[lower : lower + 2] = [counts[lower] + counts[lower + 1]]
        del edges[lower]
        merged += 1
    if (len(counts) == 1 and not has_missing_bin) or counts[0] < smallest_bin:
        raise ConstantColumnError(
            f"column {name} has one bin only: (nearly) every training customer has the same value"
        )
    if len(counts) + has_missing_bin > MOST_BINS:
        raise BinningError(f"column {name} would have more than {MOST_BINS} bins; use quantile")
    return VariableBins(
        name=name,
        rule=rule,
        edges=tuple(edges),
        has_missing_bin=has_missing_bin,
        labels=_interval_labels(rule, edges, has_missing_bin),
        merged=merged,
    )


def find_rule(present: Floats, smallest_bin: int) -> Rule:
    """The rule for sorted, non-missing numbers: a simpler one only where quintiles say no more."""
    distinct = np.count_nonzero(np.diff(present)) + 1 if len(present) else 0
    if distinct <= 1:
        return Rule.PRESENCE
    if distinct <= FIFTHS:
        return Rule.VALUES
    cuts = [cut for cut in _edges(Rule.QUANTILE, present) if cut < present[-1]]
    negative = int(np.searchsorted(present, 0.0))
    if cuts == [0.0]:
        return Rule.SIGN if negative >= smallest_bin else Rule.ZERO_NONZERO
    if negative and cuts == [present[negative - 1], 0.0]:
        return Rule.SIGN
    return Rule.QUANTILE


def _edges(rule: Rule, present: Floats) -> list[float]:
    """Ascending distinct edges, values of the data; adding 0.0 makes -0.0 an ordinary zero."""
    if rule is Rule.QUANTILE:
        # The smallest value that so many fifths of the customers do not exceed.
        fifths = [-(-fifth * len(present) // FIFTHS) for fifth in range(1, FIFTHS)]
        return [float(cut) for cut in np.unique(present[np.array(fifths) - 1] + 0.0)]
    if rule is Rule.VALUES:
        return [float(value) for value in np.unique(present + 0.0)[:-1]]
    if rule is Rule.SIGN:
        return [BELOW_ZERO, 0.0]
    return [0.0] if rule is Rule.ZERO_NONZERO else []


def _interval_labels(rule: Rule, edges: list[float], has_missing_bin: bool) -> tuple[str, ...]:
    missing = ["missing"] if has_missing_bin else []
    if not edges:
        return (*missing, "present")
    if rule is Rule.ZERO_NONZERO:
        return (*missing, "0", "not 0")
    lowest = "< 0" if edges[0] == BELOW_ZERO else f"≤ {edges[0]:g}"
    between = [
        "0" if low == BELOW_ZERO and high == 0 else f"> {low:g} to {high:g}"
        for low, high in pairwise(edges)
    ]
    highest = "≥ 0" if edges[-1] == BELOW_ZERO else f"> {edges[-1]:g}"
    return (*missing, lowest, *between, highest)


def _learn_categories(name: str, texts: Texts, smallest_bin: int) -> VariableBins:
    """A bin for each category with enough customers; the rare ones share one, or join the smallest.

    Texts never seen in training go where the rare ones go, else with the missing, else to the
    largest category. Rare categories are not named in the model: few customers stand behind each.
    """
    seen, sizes = np.unique([text for text in texts if text is not None], return_counts=True)
    frequent = {
        str(text): int(size) for text, size in zip(seen, sizes, strict=True) if size >= smallest_bin
    }
    rare = [int(size) for size in sizes if size < smallest_bin]
    missing = len(texts) - int(sizes.sum())
    has_missing_bin = missing >= smallest_bin
    homeless = sum(rare) + (0 if has_missing_bin else missing)
    has_other_bin = bool(rare) and homeless >= smallest_bin
    labels = (["missing"] if has_missing_bin else []) + list(frequent)
    if has_other_bin:
        other_bin = len(labels)
        labels.append("other")
    elif rare and frequent:
        other_bin = has_missing_bin + int(np.argmin(list(frequent.values())))
        labels[other_bin] += " or other"
    elif has_missing_bin or not frequent:
        other_bin = 0
    else:
        other_bin = int(np.argmax(list(frequent.values())))
    if len(labels) <= 1:
        raise ConstantColumnError(
            f"column {name} has one bin only: (nearly) every training customer has the same text"
        )
    if len(labels) > MOST_BINS:
        raise BinningError(f"column {name} has {len(labels)} categories; at most {MOST_BINS}")
    return VariableBins(
        name=name,
        rule=Rule.CATEGORY,
        categories=tuple(frequent),
        other_bin=other_bin,
        has_missing_bin=has_missing_bin,
        labels=tuple(labels),
        merged=len(rare),
    )
