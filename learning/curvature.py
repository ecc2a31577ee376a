"""How steep and how correlated a party's own columns are: what scales its steps (T7)."""

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from learning.binning import MOST_BINS
from learning.fixed_point import Codes
from learning.layout import Layout

# A block of this many columns is solved in about a second; wider parties use several blocks.
LARGEST_BLOCK = 4_000
ROWS_AT_A_TIME = 8_192
# Float32 holds integers exactly up to here.
EXACT = 1 << 24

Floats = npt.NDArray[np.float64]


class Constant(StrEnum):
    """What a party's last parameter is: the intercept, minus the mean of its scores, or nothing."""

    INTERCEPT = "intercept"
    CENTRE = "centre"
    NONE = "none"


@dataclass(frozen=True)
class Curvature:
    """X'X/n of a party's columns in diagonal blocks, about their `means` (not for NONE).

    A block is a range of columns and its matrix.
    """

    constant: Constant
    means: Floats
    blocks: tuple[tuple[slice, Floats], ...]


@dataclass(frozen=True)
class Scaling:
    """Where plain descent puts the zero of each column, and its mean square from there.

    One-hot columns are taken as they are: zero and one.
    """

    centres: Floats
    squares: Floats


def measure_curvature(
    codes: Codes, layout: Layout, constant: Constant, largest_block: int = LARGEST_BLOCK
) -> Curvature:
    """Products of columns: exact integers, whatever the order or number of threads."""
    rows = codes.shape[1]
    means = np.empty(layout.columns)
    blocks = []
    for variables in _split(layout, largest_block):
        columns = slice(layout.starts[variables.start], layout.starts[variables.stop])
        sums, matrix = _products(codes[variables], layout.part(variables))
        means[columns] = sums / rows
        matrix /= rows
        if constant is not Constant.NONE:
            matrix -= np.outer(means[columns], means[columns])
        blocks.append((columns, matrix))
    return Curvature(constant, means, tuple(blocks))


def measure_scaling(codes: Codes, layout: Layout, constant: Constant) -> Scaling:
    """About the means where a constant makes up for it, else about zero."""
    rows = codes.shape[1]
    centres, squares = np.zeros(layout.columns), np.ones(layout.columns)
    of_variables = zip(codes, layout.bins, layout.ordinal, layout.starts, strict=False)
    for row_codes, count, ordinal, column in of_variables:
        if ordinal:
            sizes, values = np.bincount(row_codes, minlength=count), np.arange(count)
            mean = int(sizes @ values) / rows
            centres[column] = mean if constant is not Constant.NONE else 0.0
            squares[column] = int(sizes @ values**2) / rows - centres[column] ** 2
    return Scaling(centres, squares)


def most_blocks(columns: int) -> int:
    """How many blocks a party of so many columns has at most; blocks hold whole variables."""
    return -(-columns // (LARGEST_BLOCK - MOST_BINS))


def _split(layout: Layout, largest: int) -> list[slice]:
    """Ranges of whole variables with at most `largest` columns together."""
    ranges: list[slice] = []
    first = columns = 0
    for variable, (start, end) in enumerate(pairwise(layout.starts)):
        if columns + end - start > largest and variable > first:
            ranges.append(slice(first, variable))
            first, columns = variable, 0
        columns += end - start
    return [*ranges, slice(first, len(layout.bins))]


def _products(codes: Codes, layout: Layout) -> tuple[Floats, Floats]:
    """The sum of every column, and X'X, in chunks small enough to be exact in float32."""
    sums, products = np.zeros(layout.columns), np.zeros((layout.columns, layout.columns))
    step = min(ROWS_AT_A_TIME, EXACT // layout.largest_value**2)
    for begin in range(0, codes.shape[1], step):
        chunk = layout.values(codes[:, begin : begin + step])
        sums += chunk.sum(axis=0)
        products += chunk.T @ chunk
    return sums, products
