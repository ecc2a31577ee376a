"""Powers of whole vectors in lock step, and their inverses."""

from collections.abc import Sequence

import gmpy2
import numpy as np
from numpy.typing import NDArray

from paillier.compiled.kernel import Elements, Kernel
from paillier.errors import CiphertextError

POWER_WINDOW = 5


def power_of_all(kernel: Kernel, elements: Elements, exponent: int) -> Elements:
    """Every element to one and the same power, by windows of five bits."""
    rows = np.arange(len(elements))
    powers = [kernel.ones(len(elements)), elements]
    while len(powers) < 1 << POWER_WINDOW:
        powers.append(powers[-1].copy())
        kernel.multiply_all(powers[-1], elements)
    windows = range(0, max(exponent.bit_length(), 1), POWER_WINDOW)
    result = kernel.ones(len(elements))
    for shift in reversed(windows):
        kernel.square(result, np.tile(rows, POWER_WINDOW))
        digit = exponent >> shift & ((1 << POWER_WINDOW) - 1)
        if digit:
            kernel.multiply_all(result, powers[digit])
    return result


def product_of_powers(
    kernel: Kernel, bases: Sequence[Elements], exponents: NDArray[np.uint64]
) -> Elements:
    """base_1^exponent_1 * .. row by row, the squarings shared; exponents of shape (bases, rows)."""
    rows = exponents.shape[1]
    subset_products = _subset_products(kernel, bases)
    result = kernel.ones(rows)
    weights = (1 << np.arange(len(bases), dtype=np.uint64))[:, None]
    for bit in reversed(range(int(exponents.max(initial=0)).bit_length())):
        seen = exponents >> np.uint64(bit)
        kernel.square(result, np.flatnonzero((seen > 1).any(axis=0)))
        subset = ((seen & np.uint64(1)) * weights).sum(axis=0).astype(np.int64)
        chosen = np.flatnonzero(subset)
        kernel.multiply(result, chosen, subset_products, subset[chosen] * rows + chosen)
    return result


def _subset_products(kernel: Kernel, bases: Sequence[Elements]) -> Elements:
    """The product of every subset of the bases, row by row; subset s starts at row s * rows."""
    products = kernel.ones(len(bases[0]))
    for base in bases:
        with_base, places = products.copy(), np.arange(len(products))
        kernel.multiply(with_base, places, base, places % len(base))
        products = np.concatenate([products, with_base])
    return products


def invert_elements(kernel: Kernel, elements: Elements) -> Elements:
    """The inverse of each, by one inversion: a tree of products up, and of inverses down."""
    if len(elements) == 0:
        return elements
    levels = [elements]
    while len(levels[-1]) > 1:
        if len(levels[-1]) % 2:
            levels[-1] = np.concatenate([levels[-1], kernel.ones(1)])
        products = levels[-1][::2].copy()
        pairs = np.arange(len(products))
        kernel.multiply(products, pairs, levels[-1], 2 * pairs + 1)
        levels.append(products)
    try:
        root = gmpy2.invert(kernel.leave(levels.pop())[0], kernel.n_squared)
    except ZeroDivisionError:
        raise CiphertextError("a ciphertext shares a factor with n: it was not encrypted") from None
    inverses = kernel.enter([root])
    for level in reversed(levels):
        # The inverse of a number is the inverse of its pair's product times its neighbour.
        inverses = np.repeat(inverses, 2, axis=0)[: len(level)]
        places = np.arange(len(level))
        kernel.multiply(inverses, places, level, places ^ 1)
    return inverses[: len(elements)]
