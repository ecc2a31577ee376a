"""Only the wanted slot of an output reaches its owner: masks, the arbiter's cut, the sum.

An output Y of packed rows has slots beside the wanted one that would hand over the labels. So:

1. The owner adds a constant that makes every slot non-negative, hence Y < 2^(|n| - 42), and a mask
   R uniform below 2^(|n| - 2). Nothing wraps modulo n, and the arbiter sees the integer Y + R,
   which is uniform up to 2^-40.
2. The arbiter returns the bits of the wanted slot and the single bit below them, no more.
3. The owner subtracts the same bits of R. The bit below is the highest of its slot: constant
   (zero) in every Y, because slots are at least 8 bits longer than sums. So it gives the carry
   that the addition of R brought up from below, and nothing else.

The owner learns the sum and that carry: whether (Y mod 2^m) + (R mod 2^m) >= 2^m, with m one bit
below the wanted slot. Y mod 2^m is below 2^-(gap - 1) 2^m, so the carry is 0 whatever Y holds
except with that probability: 2^-7, or less where slots are wider.
"""

from collections.abc import Sequence

from gmpy2 import mpz

from paillier.errors import PlaintextRangeError, ShapeError
from paillier.generator import DeterministicGenerator
from paillier.keys import PublicKey
from paillier.masking import apply_masks
from paillier.sample_packing import SPARE_BITS, SamplePacking


def draw_slot_masks(count: int, key_bits: int, generator: DeterministicGenerator) -> list[int]:
    """Uniform below 2^(|n| - 2), fresh for every output."""
    return [generator.bits(key_bits - SPARE_BITS) for _ in range(count)]


def apply_slot_masks(
    outputs: Sequence[mpz],
    masks: Sequence[int],
    obfuscators: Sequence[mpz],
    packing: SamplePacking,
    public_key: PublicKey,
) -> list[mpz]:
    """E(Y + R) with fresh randomness; Y is the output with every slot made non-negative."""
    constant = sum(_half(packing) << (packing.slot_bits * slot) for slot in range(packing.slots))
    return apply_masks(outputs, [mask + constant for mask in masks], obfuscators, public_key)


def cut_slots(plaintexts: Sequence[int], packing: SamplePacking) -> list[int]:
    """All that the arbiter returns: of every plaintext the wanted slot and the bit below it."""
    first, bits = _cut(packing)
    return [(plaintext >> first) & ((1 << bits) - 1) for plaintext in plaintexts]


def cut_bytes(packing: SamplePacking) -> int:
    """The width of one cut number in bytes."""
    return -(-_cut(packing)[1] // 8)


def sums_of_cuts(cuts: Sequence[int], masks: Sequence[int], packing: SamplePacking) -> list[int]:
    """The signed sums. PlaintextRangeError where a cut holds something else: not what was sent."""
    if len(cuts) != len(masks):
        raise ShapeError(f"{len(masks)} outputs were sent, but {len(cuts)} came back")
    first, bits = _cut(packing)
    sums = []
    for cut, mask in zip(cuts, masks, strict=True):
        unmasked = (cut - (mask >> first)) & ((1 << bits) - 1)
        shifted = unmasked >> _carry_bits(packing)
        if shifted >> packing.sum_bits:
            raise PlaintextRangeError(
                f"a cut slot holds more than a sum of {packing.sum_bits} bits: a value outgrew "
                "its slot, or this is not what was sent"
            )
        sums.append(shifted - _half(packing))
    return sums


def _half(packing: SamplePacking) -> int:
    return 1 << (packing.sum_bits - 1)


def _cut(packing: SamplePacking) -> tuple[int, int]:
    """The first bit that the arbiter returns, and how many."""
    carry_bits = _carry_bits(packing)
    return packing.wanted_bit - carry_bits, packing.slot_bits + carry_bits


def _carry_bits(packing: SamplePacking) -> int:
    """A single row a ciphertext has nothing below it, so there is no carry."""
    return int(packing.rows_per_ciphertext > 1)
