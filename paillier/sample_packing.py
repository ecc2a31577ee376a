"""Several rows in one ciphertext (sample packing): where each row's number sits.

With k rows a ciphertext and slots of w bits, plaintext p is the sum of u[p k + s] 2^(w s) over its
slots s. The product of the ciphertexts whose row in slot s is in a bin, joined over the slots by
Horner's rule (paillier.packed_gradient), then has 2 k - 1 slots. Slot k - 1 holds the sum over all
rows of the bin; the others hold sums of rows that are shifted against it, which the owner of the
bins must never see (paillier.slot_cutting).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from paillier.errors import PlaintextRangeError, ShapeError

# A mask is so many bits longer than what it hides: nobody tells the sum from the mask alone.
HIDING_BITS = 40
# Masks stay below 2^(|n| - 2), so that what is masked stays below n.
SPARE_BITS = 2
# Constant bits above every sum, at least: one for the carry, the others make carries say little.
GAP_BITS = 8


@dataclass(frozen=True)
class SamplePacking:
    """k rows a ciphertext; every sum of rows, signed, has `sum_bits`, every slot `slot_bits`."""

    rows_per_ciphertext: int
    sum_bits: int
    slot_bits: int

    @property
    def slots(self) -> int:
        """Of an output: the wanted sum with k - 1 others on either side."""
        return 2 * self.rows_per_ciphertext - 1

    @property
    def wanted_bit(self) -> int:
        """Where the wanted slot of an output begins."""
        return (self.rows_per_ciphertext - 1) * self.slot_bits

    def ciphertexts(self, rows: int) -> int:
        return -(-rows // self.rows_per_ciphertext)


def sample_packing(rows_per_ciphertext: int, sum_bits: int, key_bits: int) -> SamplePacking:
    """The widest slots that a key has room for: what a carry may tell shrinks with the gap.

    PlaintextRangeError where the slots would be too narrow.
    """
    most = most_rows_per_ciphertext(sum_bits, key_bits)
    if not 1 <= rows_per_ciphertext <= most:
        raise PlaintextRangeError(
            f"{rows_per_ciphertext} rows a ciphertext with sums of {sum_bits} bits do not fit a "
            f"key of {key_bits} bits: it has room for 1 to {most}"
        )
    slots = 2 * rows_per_ciphertext - 1
    return SamplePacking(rows_per_ciphertext, sum_bits, _room(key_bits) // slots)


def most_rows_per_ciphertext(sum_bits: int, key_bits: int) -> int:
    """0 where even a single row has no room."""
    return (_room(key_bits) // (sum_bits + GAP_BITS) + 1) // 2


def pack_rows(values: Sequence[int], packing: SamplePacking) -> list[int]:
    """The plaintexts of a vector, one number a row; a last one that is not full ends with zeros.

    Values may be negative; PlaintextRangeError for one that is longer than a sum may be.
    """
    limit = 1 << (packing.sum_bits - 1)
    if not all(-limit <= value < limit for value in values):
        raise PlaintextRangeError(
            f"a value has more than the {packing.sum_bits} bits that slots are made for"
        )
    k, width = packing.rows_per_ciphertext, packing.slot_bits
    starts = range(0, len(values), k)
    return [
        sum(int(value) << (width * slot) for slot, value in enumerate(values[start : start + k]))
        for start in starts
    ]


def check_ciphertexts(count: int, rows: int, packing: SamplePacking) -> None:
    if count != packing.ciphertexts(rows):
        raise ShapeError(
            f"{rows} rows, {packing.rows_per_ciphertext} a ciphertext, are "
            f"{packing.ciphertexts(rows)} ciphertexts, not {count}"
        )


def _room(key_bits: int) -> int:
    """Bits of an output under its mask."""
    return key_bits - SPARE_BITS - HIDING_BITS
