"""Integers as rows of base-2^52 digits, the width the processor's multiplier takes, and back."""

from collections.abc import Sequence

import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

DIGIT_BITS = 52
DIGIT_MASK = (1 << DIGIT_BITS) - 1
WORD_BITS = 64
LANES = 8


def padded(digits: int) -> int:
    """Rounded up to whole vectors of the processor."""
    return -(-digits // LANES) * LANES


def to_digits(numbers: Sequence[mpz], count: int) -> NDArray[np.uint64]:
    """Shape (numbers, count), least significant digit first; numbers below 2^(52 count)."""
    # A digit may reach into the next word, so there is always one more.
    words = count * DIGIT_BITS // WORD_BITS + 2
    octets = b"".join(number.to_bytes(8 * words, "little") for number in numbers)
    bits = np.frombuffer(octets, dtype="<u8").reshape(len(numbers), words)
    word, offset = np.divmod(np.arange(count) * DIGIT_BITS, WORD_BITS)
    shift = offset.astype(np.uint64)
    # Shifted in two steps, because a shift by the whole 64 bits is undefined.
    above = bits[:, word + 1] << (np.uint64(WORD_BITS - 1) - shift) << np.uint64(1)
    digits = (bits[:, word] >> shift | above) & np.uint64(DIGIT_MASK)
    # Chosen columns come back column by column, and the compiled code reads rows.
    return np.ascontiguousarray(digits, dtype=np.uint64)


def from_digits(digits: NDArray[np.uint64]) -> list[mpz]:
    """The number of each row."""
    rows, count = digits.shape
    words = -(-count * DIGIT_BITS // WORD_BITS)
    padded = np.zeros((rows, count + 2), dtype=np.uint64)
    padded[:, :count] = digits
    digit, offset = np.divmod(np.arange(words) * WORD_BITS, DIGIT_BITS)
    bits = padded[:, digit] >> offset.astype(np.uint64)
    bits |= padded[:, digit + 1] << (DIGIT_BITS - offset).astype(np.uint64)
    # A word reaches into a third digit where the first gives less than 12 bits.
    third = np.flatnonzero(2 * DIGIT_BITS - offset < WORD_BITS)
    bits[:, third] |= padded[:, digit[third] + 2] << (2 * DIGIT_BITS - offset[third]).astype(
        np.uint64
    )
    octets, width = bits.astype("<u8").tobytes(), 8 * words
    return [
        mpz.from_bytes(octets[start : start + width], "little")
        for start in range(0, rows * width, width)
    ]
