"""The encrypted residual of every customer (requirements T5): weighted sums, row by row."""

from collections.abc import Sequence

import gmpy2
import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from paillier.compiled.residual import combine_block
from paillier.errors import ShapeError
from paillier.inversion import invert_all
from paillier.kernels import compiled_kernel
from paillier.keys import PublicKey
from paillier.workers import blocks, in_parallel

ROWS_BLOCK = 512
# Terms that share squarings; their table has a product for every subset of them.
STRAUS_TERMS = 3

Term = tuple[Sequence[mpz], NDArray[np.int64] | int]


def multiply(
    vectors: Sequence[Sequence[mpz]], public_key: PublicKey, threads: int = 1
) -> list[mpz]:
    """E(x_1 + .. + x_K) for every row of the vectors E(x_1), .., E(x_K)."""
    lengths = {len(vector) for vector in vectors}
    if len(lengths) != 1:
        raise ShapeError(
            f"{len(vectors)} encrypted vectors of lengths {sorted(lengths)} have no sum: every "
            "party must send one number a row"
        )
    n_squared = public_key.n_squared

    def multiply_block(block: slice) -> list[mpz]:
        products = list(vectors[0][block])
        for vector in vectors[1:]:
            products = [x * y % n_squared for x, y in zip(products, vector[block], strict=True)]
        return products

    results = in_parallel(multiply_block, blocks(lengths.pop(), ROWS_BLOCK), threads)
    return [ciphertext for result in results for ciphertext in result]


def combine(
    terms: Sequence[Term], additions: Sequence[mpz], public_key: PublicKey, threads: int = 1
) -> list[mpz]:
    """E(m_1 x_1 + .. + m_K x_K + a) for every row.

    A term is a vector E(x) with its multipliers, signed: one integer a row, or one for all.
    `additions` are the caller's own fresh encryptions E(a). Their randomness is what hides the
    result from the participants, who know the randomness of their own vectors.
    """
    multipliers = _multipliers(terms, len(additions))
    kernel = compiled_kernel(public_key.modulus)

    def combine_rows(rows: slice) -> list[mpz]:
        vectors = [vector[rows] for vector, _ in terms]
        if kernel:
            return combine_block(
                kernel, vectors, multipliers[:, rows], additions[rows], STRAUS_TERMS
            )
        return _combine_block(vectors, multipliers[:, rows], additions[rows], public_key.n_squared)

    results = in_parallel(combine_rows, blocks(len(additions), ROWS_BLOCK), threads)
    return [ciphertext for result in results for ciphertext in result]


def _combine_block(
    vectors: Sequence[Sequence[mpz]],
    multipliers: NDArray[np.int64],
    additions: Sequence[mpz],
    n_squared: mpz,
) -> list[mpz]:
    exponents = multipliers.tolist()
    bases = [
        _with_positive_exponents(vector, of_term, n_squared)
        for vector, of_term in zip(vectors, exponents, strict=True)
    ]
    sizes = [[abs(exponent) for exponent in of_term] for of_term in exponents]
    return [
        _product_of_powers(row_bases, row_sizes, n_squared) * addition % n_squared
        for row_bases, row_sizes, addition in zip(
            zip(*bases, strict=True), zip(*sizes, strict=True), additions, strict=True
        )
    ]


def _multipliers(terms: Sequence[Term], rows: int) -> NDArray[np.int64]:
    """Shape (terms, rows); ShapeError where terms and rows do not fit."""
    lengths = sorted({len(vector) for vector, _ in terms})
    if lengths != [rows]:
        raise ShapeError(
            f"{len(terms)} encrypted terms of lengths {lengths} do not go with {rows} additions: "
            "every party must send one number a row"
        )
    shapes = {np.shape(multipliers) for _, multipliers in terms}
    if not shapes <= {(), (rows,)}:
        raise ShapeError(f"multipliers have shapes {sorted(shapes)}: expected () or ({rows},)")
    return np.array([np.broadcast_to(factors, rows) for _, factors in terms], dtype=np.int64)


def _with_positive_exponents(
    ciphertexts: Sequence[mpz], exponents: Sequence[int], n_squared: mpz
) -> list[mpz]:
    """The ciphertexts, inverted where the exponent is negative, all by one inversion."""
    negative = [row for row, exponent in enumerate(exponents) if exponent < 0]
    bases = list(ciphertexts)
    inverses = invert_all([bases[row] for row in negative], n_squared)
    for row, inverse in zip(negative, inverses, strict=True):
        bases[row] = inverse
    return bases


def _product_of_powers(bases: Sequence[mpz], exponents: Sequence[int], modulus: mpz) -> mpz:
    """base_1^exponent_1 * .. mod modulus; a few powers share their squarings (Straus)."""
    if len(bases) == 1:
        return gmpy2.powmod(bases[0], exponents[0], modulus)
    if len(bases) > STRAUS_TERMS:
        first, rest = slice(STRAUS_TERMS), slice(STRAUS_TERMS, None)
        product = _product_of_powers(bases[first], exponents[first], modulus)
        return product * _product_of_powers(bases[rest], exponents[rest], modulus) % modulus
    subset_products = [mpz(1)]
    for base in bases:
        subset_products += [product * base % modulus for product in subset_products]
    power = mpz(1)
    for bit in reversed(range(max(exponents).bit_length())):
        power = power * power % modulus
        subset = sum((exponent >> bit & 1) << term for term, exponent in enumerate(exponents))
        if subset:
            power = power * subset_products[subset] % modulus
    return power
