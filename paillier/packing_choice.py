"""How many rows should share a ciphertext, by counting the products of a round.

Sharing saves encryptions and spends on the gradient: the cells of joint buckets once a slot, the
squarings of Horner's rule, and a decryption a sum, since only one slot of it may be seen. The
count knows no machine and has no fractions, so that every member of a job finds the same number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from paillier.packing import slots_of
from paillier.sample_packing import SamplePacking, most_rows_per_ciphertext, sample_packing

# Products modulo n^2 an encryption and a decryption, for so many bits of the key, as both kernels
# measure them within a factor of two.
ENCRYPTION = 1, 16
DECRYPTION = 2, 5
# A cell takes part in two products, which gmpy2 makes of factors of full size.
CELL = 5, 2
MOST_VARIABLES_A_PASS = 16


@dataclass(frozen=True)
class GradientShape:
    """One data party's: `bins` a variable, rounded, and how many sums it learns."""

    variables: int
    bins: int
    sums: int

    @classmethod
    def of(cls, variables: int, columns: int, sums: int) -> "GradientShape":
        """Of variables that have so many bins (columns) together."""
        return cls(variables, (2 * columns + variables) // (2 * variables), sums)


@dataclass(frozen=True)
class RoundShape:
    """Of all data parties; every one of them encrypts a number a row."""

    rows: int
    key_bits: int
    sum_bits: int
    gradients: tuple[GradientShape, ...]


def choose_packing(shape: RoundShape, rows_per_ciphertext: int | None) -> SamplePacking | None:
    """So many rows a ciphertext as far as the key has room, or (None) the fewest products.

    None where every row has a ciphertext of its own.
    """
    if rows_per_ciphertext is None:
        rows = best_rows_per_ciphertext(shape)
    else:
        rows = min(rows_per_ciphertext, most_rows_per_ciphertext(shape.sum_bits, shape.key_bits))
    return sample_packing(rows, shape.sum_bits, shape.key_bits) if rows > 1 else None


@cache
def best_rows_per_ciphertext(shape: RoundShape) -> int:
    """1 where sharing does not pay, or the key has no room for it."""
    most = most_rows_per_ciphertext(shape.sum_bits, shape.key_bits)
    return min(range(1, max(most, 1) + 1), key=lambda k: round_products(shape, k))


def round_products(shape: RoundShape, rows_per_ciphertext: int) -> int:
    """The products of one round with so many rows a ciphertext, of all parties together."""
    ciphertexts = -(-shape.rows // rows_per_ciphertext)
    encryptions = len(shape.gradients) * ciphertexts * _part(ENCRYPTION, shape.key_bits)
    buckets = rows_per_ciphertext * _bucket_products(shape.gradients, ciphertexts)
    sums = [gradient.sums for gradient in shape.gradients]
    return encryptions + buckets + _opening_products(shape, sums, rows_per_ciphertext)


def _bucket_products(gradients: Sequence[GradientShape], ciphertexts: int) -> int:
    """Of one slot; as many variables share a pass over the ciphertexts as is cheapest."""
    return sum(
        min(
            -(-gradient.variables // t) * (ciphertexts + _part(CELL, gradient.bins**t))
            for t in range(1, MOST_VARIABLES_A_PASS + 1)
        )
        for gradient in gradients
    )


def _opening_products(shape: RoundShape, sums: Sequence[int], rows_per_ciphertext: int) -> int:
    """Joining or packing the sums, masking and decrypting them."""
    if rows_per_ciphertext > 1:
        packing = sample_packing(rows_per_ciphertext, shape.sum_bits, shape.key_bits)
        squarings, opened = packing.wanted_bit, sum(sums)
    else:
        slots = slots_of(shape.key_bits, shape.sum_bits)
        squarings, opened = shape.sum_bits, sum(-(-count // slots) for count in sums)
    of_one = _part(ENCRYPTION, shape.key_bits) + _part(DECRYPTION, shape.key_bits)
    return sum(sums) * squarings + opened * of_one


def _part(ratio: tuple[int, int], of: int) -> int:
    return of * ratio[0] // ratio[1]
