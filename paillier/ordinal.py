"""The encrypted gradient of columns that hold bin numbers, from the products of the bins (T6)."""

from collections.abc import Sequence

from gmpy2 import mpz

from paillier.errors import ShapeError
from paillier.keys import PublicKey


def ordinal_gradient(
    bin_products: Sequence[mpz], bins: Sequence[int], ordinal: Sequence[bool], public_key: PublicKey
) -> list[mpz]:
    """One ciphertext for an ordinal variable, one a bin for any other, and E(sum of g) at the end.

    `bin_products` are what `one_hot_gradient` gives. An ordinal variable's is E(sum of b s_b), s_b
    the sum over bin b. Every customer is in one bin of the first variable, which gives the last.
    """
    if len(bin_products) != sum(bins) or len(bins) != len(ordinal):
        raise ShapeError(
            f"{len(bin_products)} bin products do not belong to {len(bins)} variables of "
            f"{sum(bins)} bins, {len(ordinal)} of them known to be ordinal or not"
        )
    n_squared = public_key.n_squared
    gradient: list[mpz] = []
    start = 0
    for count, is_ordinal in zip(bins, ordinal, strict=True):
        products = bin_products[start : start + count]
        gradient += [weighted_product(products, n_squared)] if is_ordinal else products
        start += count
    return [*gradient, _product(bin_products[: bins[0]], n_squared)]


def weighted_product(products: Sequence[mpz], n_squared: mpz) -> mpz:
    """The product of product_b^b by suffix products: two multiplications a bin, no power."""
    suffix = weighted = mpz(1)
    for product in reversed(products[1:]):
        suffix = suffix * product % n_squared
        weighted = weighted * suffix % n_squared
    return weighted


def _product(factors: Sequence[mpz], modulus: mpz) -> mpz:
    product = mpz(1)
    for factor in factors:
        product = product * factor % modulus
    return product
