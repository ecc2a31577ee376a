"""Several signed outputs in one ciphertext, so that the arbiter decrypts few of them.

Output i of a ciphertext sits at bit i * slot_bits; a slot holds [-2^(w-1), 2^(w-1)). Only sums
that one party owns are packed together; customers share ciphertexts by paillier.sample_packing.
"""

from collections.abc import Sequence

import gmpy2
from gmpy2 import mpz

from paillier.compiled.packing import pack_block
from paillier.errors import PlaintextRangeError, ShapeError
from paillier.kernels import compiled_kernel
from paillier.keys import PublicKey
from paillier.workers import blocks, in_parallel

# Two bits of n stay free: one for the sign, one so that nothing reaches n/2.
SPARE_BITS = 2
OUTPUTS_BLOCK = 64


def signed(plaintext: int, n: int) -> int:
    """The integer of smallest size that is congruent to the plaintext modulo n."""
    return plaintext - n if 2 * plaintext > n else plaintext


def slots_per_ciphertext(public_key: PublicKey, slot_bits: int) -> int:
    return slots_of(public_key.bits, slot_bits)


def pack(
    ciphertexts: Sequence[mpz], slot_bits: int, public_key: PublicKey, threads: int = 1
) -> list[mpz]:
    """As few ciphertexts as hold all values; each value must fit its slot, which nobody can see.

    Costs slot_bits squarings a value (Horner's rule).
    """
    slots = slots_per_ciphertext(public_key, slot_bits)
    kernel = compiled_kernel(public_key.modulus)

    def pack_outputs(outputs: slice) -> list[mpz]:
        values = ciphertexts[outputs.start * slots : outputs.stop * slots]
        if kernel:
            return pack_block(kernel, values, slots, slot_bits)
        n_squared = public_key.n_squared
        return [_pack(values[slot], slot_bits, n_squared) for slot in blocks(len(values), slots)]

    outputs = blocks(-(-len(ciphertexts) // slots), OUTPUTS_BLOCK, threads)
    results = in_parallel(pack_outputs, outputs, threads)
    return [ciphertext for result in results for ciphertext in result]


def _pack(ciphertexts: Sequence[mpz], slot_bits: int, n_squared: mpz) -> mpz:
    packed = mpz(1)
    for ciphertext in reversed(ciphertexts):
        packed = gmpy2.powmod(packed, 1 << slot_bits, n_squared) * ciphertext % n_squared
    return packed


def unpack(plaintexts: Sequence[int], slot_bits: int, count: int, n: int) -> list[int]:
    """The `count` signed values inside decrypted plaintexts (integers modulo n).

    ShapeError for a wrong number of plaintexts; PlaintextRangeError where one holds more than
    its slots can: a value overflowed, or the plaintext is not the one that was packed.
    """
    slots = slots_of(int(n).bit_length(), slot_bits)
    expected = -(-count // slots)
    if len(plaintexts) != expected:
        raise ShapeError(
            f"{count} values of {slot_bits} bits are {expected} plaintexts, not {len(plaintexts)}"
        )
    values: list[int] = []
    for plaintext in plaintexts:
        values += _cut(signed(plaintext, n), slot_bits, min(slots, count - len(values)))
    return values


def _cut(packed: int, slot_bits: int, slots: int) -> list[int]:
    half = 1 << (slot_bits - 1)
    values = []
    for _ in range(slots):
        # Balanced digits: a negative value has borrowed one from the slot above.
        value = ((packed + half) & ((1 << slot_bits) - 1)) - half
        values.append(value)
        packed = (packed - value) >> slot_bits
    if packed:
        raise PlaintextRangeError(
            f"a packed plaintext holds more than {slots} slots of {slot_bits} bits: a value "
            "outgrew its slot, or this is not what was packed"
        )
    return values


def slots_of(key_bits: int, slot_bits: int) -> int:
    slots = (key_bits - SPARE_BITS) // slot_bits if slot_bits >= 2 else 0
    if slots < 1:
        raise PlaintextRangeError(
            f"a slot of {slot_bits} bits does not fit a key of {key_bits} bits: slots have from 2 "
            f"to {key_bits - SPARE_BITS} bits"
        )
    return slots
