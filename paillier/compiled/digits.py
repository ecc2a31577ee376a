"""Integers as rows of base-2^52 digits, the width the processor's multiplier takes, and back.

Two digits are 13 bytes: the even one starts at the first, the odd one four bits into the seventh.
Either lies within eight bytes, so both are read and written as 64-bit words, 13 bytes apart.
"""

from collections.abc import Sequence

import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

DIGIT_BITS = 52
DIGIT_MASK = (1 << DIGIT_BITS) - 1
LANES = 8
PAIR_BYTES = 13
WORD_BYTES = 8


def padded(digits: int) -> int:
    """Rounded up to whole vectors of the processor."""
    return -(-digits // LANES) * LANES


def to_digits(numbers: Sequence[mpz], count: int) -> NDArray[np.uint64]:
    """Shape (numbers, count), least significant digit first; numbers below 2^(52 count)."""
    pairs = -(-count // 2)
    octets = b"".join([number.to_bytes(pairs * PAIR_BYTES, "little") for number in numbers])
    buffer = np.frombuffer(octets + bytes(WORD_BYTES), dtype=np.uint8)
    digits = np.empty((len(numbers), pairs, 2), dtype=np.uint64)
    mask = np.uint64(DIGIT_MASK)
    np.bitwise_and(_words(buffer, len(numbers), pairs, 0), mask, out=digits[..., 0])
    np.right_shift(_words(buffer, len(numbers), pairs, 6), np.uint64(4), out=digits[..., 1])
    digits[..., 1] &= mask
    return np.ascontiguousarray(digits.reshape(len(numbers), 2 * pairs)[:, :count])


def from_digits(digits: NDArray[np.uint64]) -> list[mpz]:
    """The number of each row; an even number of digits."""
    rows, pairs = len(digits), digits.shape[1] // 2
    buffer = np.zeros(rows * pairs * PAIR_BYTES + WORD_BYTES, dtype=np.uint8)
    even, odd = digits[:, ::2], digits[:, 1::2]
    # The upper word of a pair reaches into the next pair, whose lower word then covers it.
    _words(buffer, rows, pairs, 8)[...] = odd >> np.uint64(12)
    _words(buffer, rows, pairs, 0)[...] = even | odd << np.uint64(52)
    octets, width = buffer.tobytes(), pairs * PAIR_BYTES
    return [
        mpz.from_bytes(octets[start : start + width], "little")
        for start in range(0, rows * width, width)
    ]


def _words(buffer: NDArray[np.uint8], rows: int, pairs: int, offset: int) -> NDArray[np.uint64]:
    """The 64-bit word at this offset of every pair, as a view."""
    strides = (pairs * PAIR_BYTES, PAIR_BYTES)
    return np.ndarray((rows, pairs), "<u8", buffer, offset, strides)
