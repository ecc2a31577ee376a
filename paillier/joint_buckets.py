"""Bin products of several variables from one pass over the ciphertexts ("four Russians").

The codes of a group of variables are read as the digits of one mixed-radix number, the joint
cell. One multiplication a row puts each ciphertext into its cell; the marginals of the table of
cells are the bin products of every variable of the group. A group of t variables costs
rows + 2 cells products instead of t rows.
"""

from collections.abc import Callable, Sequence
from math import prod
from operator import add

import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from paillier.half_size import Multiplicands, join
from paillier.keys import PublicKey

# A cell takes part in two full-size products, each about 1.6 times a product by a half-size one.
CELL_COST = 3.2

Cells = list[mpz | None]


def group_variables(
    bins: Sequence[int], rows: int, cell_cost: float = CELL_COST
) -> list[list[int]]:
    """Indices of the variables that share a pass, chosen for the fewest products in all.

    Variables are taken in order of their numbers of bins, and that order is cut at the cheapest
    places (dynamic programming).
    """
    order = sorted(range(len(bins)), key=lambda variable: bins[variable])
    cheapest: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(order) + 1):
        cells = 1
        choices = []
        for start in range(end - 1, -1, -1):
            cells *= bins[order[start]]
            if cells > rows and start < end - 1:
                break
            choices.append((cheapest[start][0] + rows + cell_cost * cells, start))
        cheapest.append(min(choices))
    groups = []
    end = len(order)
    while end:
        start = cheapest[end][1]
        groups.append(order[start:end])
        end = start
    return groups[::-1]


def joint_cells(codes: NDArray[np.uint8], bins: Sequence[int]) -> NDArray[np.int64]:
    """The cell of every row: its codes, of shape (variables, rows), as one mixed-radix number."""
    strides = np.cumprod([1, *bins[:-1]], dtype=np.int64)
    cells: NDArray[np.int64] = strides @ codes.astype(np.int64)
    return cells


def bin_products(
    multiplicands: Multiplicands,
    codes: NDArray[np.uint8],
    bins: Sequence[int],
    public_key: PublicKey,
) -> list[list[mpz]]:
    """For each variable of one group, the product of the ciphertexts of each bin; 1 if empty.

    `codes` has shape (variables, rows), `bins` one number a variable.
    """
    cell_of_row = joint_cells(codes, bins)
    products, sums = _fold(multiplicands, cell_of_row.tolist(), prod(bins), public_key.n_squared)

    def multiply(x: mpz, y: mpz) -> mpz:
        return x * y % n_squared

    n_squared = public_key.n_squared
    products_of_bins = _marginals(products, bins, multiply)
    sums_of_bins = _marginals(sums, bins, add)
    return [
        [
            mpz(1) if product is None else join(product, digit_sum, public_key)
            for product, digit_sum in zip(*variable, strict=True)
        ]
        for variable in zip(products_of_bins, sums_of_bins, strict=True)
    ]


def _fold(
    multiplicands: Multiplicands, cell_of_row: Sequence[int], cells: int, n_squared: mpz
) -> tuple[Cells, Cells]:
    """Product of residues and sum of digits of each cell, None where no row falls."""
    products: Cells = [None] * cells
    sums: Cells = [None] * cells
    residues, digits = multiplicands
    for cell, residue, digit in zip(cell_of_row, residues, digits, strict=True):
        product = products[cell]
        if product is None:
            products[cell], sums[cell] = residue, digit
        else:
            products[cell] = product * residue % n_squared
            sums[cell] += digit
    return products, sums


def _marginals(
    cells: Cells, radices: Sequence[int], combine: Callable[[mpz, mpz], mpz]
) -> list[Cells]:
    """The marginal of every axis; halving the axes first costs two combinations a cell in all."""
    if len(radices) == 1:
        return [cells]
    middle = len(radices) // 2
    low_size = prod(radices[:middle])
    low: Cells = [None] * low_size
    high: Cells = [None] * (len(cells) // low_size)
    for index, cell in enumerate(cells):
        if cell is not None:
            i, j = divmod(index, low_size)
            high[i] = cell if high[i] is None else combine(high[i], cell)
            low[j] = cell if low[j] is None else combine(low[j], cell)
    return _marginals(low, radices[:middle], combine) + _marginals(high, radices[middle:], combine)
