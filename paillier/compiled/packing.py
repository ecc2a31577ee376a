"""Packing (paillier.packing) on the compiled kernel: every output takes each step together."""

from collections.abc import Sequence

import numpy as np
from gmpy2 import mpz

from paillier.compiled.kernel import Kernel


def pack_block(kernel: Kernel, ciphertexts: Sequence[mpz], slots: int, slot_bits: int) -> list[mpz]:
    """Horner's rule over the slots; the slots that the last output lacks hold 0."""
    outputs = -(-len(ciphertexts) // slots)
    elements = kernel.ones(outputs * slots)
    elements[: len(ciphertexts)] = kernel.enter(ciphertexts)
    rows = np.arange(outputs)
    packed = elements[slots - 1 :: slots].copy()
    for slot in reversed(range(slots - 1)):
        kernel.square(packed, np.tile(rows, slot_bits))
        kernel.multiply(packed, rows, elements, rows * slots + slot)
    return kernel.leave(packed)
