"""Many inverses for the price of one (Montgomery's trick)."""

from collections.abc import Sequence
from itertools import accumulate

import gmpy2
from gmpy2 import mpz

from paillier.errors import CiphertextError


def invert_all(numbers: Sequence[mpz], modulus: mpz) -> list[mpz]:
    """The inverse of each: one inversion and three products a number.

    The numbers are ciphertexts or made of them: CiphertextError where one has no inverse.
    """
    products = list(accumulate(numbers, lambda x, y: x * y % modulus, initial=mpz(1)))
    try:
        inverse = gmpy2.invert(products[-1], modulus)
    except ZeroDivisionError:
        raise CiphertextError("a ciphertext shares a factor with n: it was not encrypted") from None
    inverses = []
    for number, product_before in zip(reversed(numbers), reversed(products[:-1]), strict=True):
        inverses.append(inverse * product_before % modulus)
        inverse = inverse * number % modulus
    return inverses[::-1]
