"""The comb of paillier.comb on the compiled kernel."""

from collections.abc import Sequence

import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from paillier.compiled.kernel import Elements, Kernel
from paillier.workers import in_parallel


def comb_rows(kernel: Kernel, bases: Sequence[mpz], window: int, threads: int) -> Elements:
    """base^0 .. base^(2^window - 1) for each base: shape (bases, 2^window, width)."""
    rows = np.empty((len(bases), 1 << window, kernel.width), dtype=np.uint64)
    rows[:, 0] = kernel.ones(1)
    rows[:, 1] = kernel.enter(bases)
    in_parallel(lambda row: _fill(kernel, row), list(rows), threads)
    return rows


def _fill(kernel: Kernel, powers: Elements) -> None:
    """All powers from the first two: each pass multiplies those known by the next one."""
    known = 2
    while known < len(powers):
        following = powers[known - 1 : known].copy()
        kernel.multiply_all(following, powers[1:2])
        powers[known : 2 * known] = powers[:known]
        kernel.multiply_all(powers[known : 2 * known], following)
        known *= 2


def raise_and_add_block(
    kernel: Kernel, rows: Elements, digits: NDArray[np.int64], plaintexts: Sequence[int]
) -> list[mpz]:
    """One entry of each row, as `digits` (rows, values) say, times 1 + plaintext n."""
    products = rows[0, digits[0]]
    values = np.arange(len(plaintexts))
    for row, chosen in zip(rows[1:], digits[1:], strict=True):
        kernel.multiply(products, values, row, chosen)
    n, n_squared = kernel.n, kernel.n_squared
    return [
        (low + n * ((high + low * plaintext) % n)) % n_squared
        for (low, high), plaintext in zip(kernel.leave_as_pairs(products), plaintexts, strict=True)
    ]
