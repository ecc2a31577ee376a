"""The bin products of paillier.joint_buckets on the compiled kernel."""

from collections.abc import Sequence
from math import prod

import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from paillier.compiled.kernel import Elements, Kernel


def bin_products(
    kernel: Kernel, ciphertexts: Elements, cell_of_row: NDArray[np.int64], bins: Sequence[int]
) -> list[list[mpz]]:
    """For each variable of one group, the product of the ciphertexts of each bin; 1 if empty."""
    return [
        kernel.leave(products) for products in bin_elements(kernel, ciphertexts, cell_of_row, bins)
    ]


def bin_elements(
    kernel: Kernel, ciphertexts: Elements, cell_of_row: NDArray[np.int64], bins: Sequence[int]
) -> list[Elements]:
    """The same, not yet brought back from the kernel's form."""
    return _marginals(kernel, _fold(kernel, ciphertexts, cell_of_row, prod(bins)), bins)


def _fold(
    kernel: Kernel, ciphertexts: Elements, cell_of_row: NDArray[np.int64], count: int
) -> Elements:
    """The product of each cell; its first ciphertext is copied, the others are multiplied."""
    cells = kernel.ones(count)
    occupied, first_rows = np.unique(cell_of_row, return_index=True)
    cells[occupied] = ciphertexts[first_rows]
    other_rows = np.delete(np.arange(len(cell_of_row)), first_rows)
    kernel.multiply(cells, cell_of_row[other_rows], ciphertexts, other_rows)
    return cells


def _marginals(kernel: Kernel, cells: Elements, radices: Sequence[int]) -> list[Elements]:
    """The marginal of every axis; halving the axes first costs two products a cell in all."""
    if len(radices) == 1:
        return [cells]
    middle = len(radices) // 2
    low_size = prod(radices[:middle])
    places = np.arange(len(cells))
    low, high = cells[:low_size].copy(), cells[::low_size].copy()
    beyond = places[low_size:]
    kernel.multiply(low, beyond % low_size, cells, beyond)
    beyond = places[places % low_size > 0]
    kernel.multiply(high, beyond // low_size, cells, beyond)
    return [
        *_marginals(kernel, low, radices[:middle]),
        *_marginals(kernel, high, radices[middle:]),
    ]
