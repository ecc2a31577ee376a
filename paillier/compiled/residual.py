"""Weighted sums of encrypted vectors (paillier.residual) on the compiled kernel."""

from collections.abc import Sequence

import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from paillier.compiled.kernel import Kernel
from paillier.compiled.powers import invert_elements, product_of_powers


def combine_block(
    kernel: Kernel,
    vectors: Sequence[Sequence[mpz]],
    multipliers: NDArray[np.int64],
    additions: Sequence[mpz],
    terms_at_once: int,
) -> list[mpz]:
    """vector_1^multiplier_1 * .. * addition, row by row; multipliers of shape (vectors, rows)."""
    terms, rows = multipliers.shape
    numbers = [number for vector in vectors for number in vector]
    bases = kernel.enter(numbers).reshape(terms, rows, kernel.width)
    negative = multipliers < 0
    bases[negative] = invert_elements(kernel, bases[negative])
    # The size of -2^63 is no int64, but its bits read as unsigned are right.
    sizes = np.abs(multipliers).view(np.uint64)
    result = kernel.enter(additions)
    for start in range(0, terms, terms_at_once):
        some = slice(start, start + terms_at_once)
        kernel.multiply_all(result, product_of_powers(kernel, list(bases[some]), sizes[some]))
    return kernel.leave(result)
