"""Vectors of numbers modulo n^2 in the form the compiled kernel multiplies."""

from collections.abc import Sequence

import gmpy2
import numpy as np
from gmpy2 import mpz
from numpy.typing import ArrayLike, NDArray

from paillier.compiled.digits import DIGIT_BITS, from_digits, padded, to_digits
from paillier.errors import ShapeError

# How many bits R is longer than n, so that results need no final subtraction.
SPARE_BITS = 16

Elements = NDArray[np.uint64]


class Kernel:
    """Products modulo n^2, many at a time, for one odd n.

    Elements are rows of a C-contiguous uint64 array of shape (count, `width`), in Montgomery form.
    """

    def __init__(self, n: mpz) -> None:
        # Only here, so that the room can be imported where llvmlite is not installed.
        from paillier.compiled.machine_code import machine_code  # noqa: PLC0415

        self.n = mpz(n)
        self.n_squared = self.n * self.n
        self._digits = -(-(self.n.bit_length() + SPARE_BITS) // DIGIT_BITS)
        self._half = padded(self._digits)
        self.width = 2 * self._half
        radix = mpz(1) << (DIGIT_BITS * self._digits)
        self._code = machine_code(self._digits)
        self._modulus = to_digits([self.n], self._half)
        self._high_start = to_digits([(1 - radix) % self.n], self._half)
        self._constants = (
            self._modulus.ctypes.data,
            self._high_start.ctypes.data,
            int(gmpy2.invert(-self.n, mpz(1) << DIGIT_BITS)),
        )
        entry_powers = [gmpy2.t_divmod(radix**k % self.n_squared, self.n) for k in (2, 3)]
        halves = [half for high, low in entry_powers for half in (low, high)]
        self._entry_factors = to_digits(halves, self._half)
        self._plain_one = np.zeros((1, self.width), dtype=np.uint64)
        self._plain_one[0, 0] = 1
        self._one = self.enter([mpz(1)])

    def enter(self, numbers: Sequence[mpz]) -> Elements:
        """Numbers in [0, n^2) as elements."""
        digits, half = self._digits, self._half
        elements = np.zeros((len(numbers), self.width), dtype=np.uint64)
        # A number is first + second R, and its element first R^2 + second R^3, divided by R.
        both = to_digits(numbers, 2 * digits)
        elements[:, :digits], elements[:, half : half + digits] = both[:, :digits], both[:, digits:]
        self._code.enter_rows(
            elements.ctypes.data, self._entry_factors.ctypes.data, len(numbers), *self._constants
        )
        return elements

    def leave(self, elements: Elements) -> list[mpz]:
        """The numbers in [0, n^2) that the elements stand for."""
        return [
            (low + self.n * high) % self.n_squared for low, high in self.leave_as_pairs(elements)
        ]

    def leave_as_pairs(self, elements: Elements) -> list[tuple[mpz, mpz]]:
        """(low, high) for every element: it stands for low + high n, which may exceed n^2."""
        plain = elements.copy()
        self.multiply_all(plain, self._plain_one)
        numbers = from_digits(plain.reshape(-1, self._half))
        return list(zip(numbers[::2], numbers[1::2], strict=True))

    def ones(self, count: int) -> Elements:
        return np.repeat(self._one, count, axis=0)

    def multiply(
        self, target: Elements, target_rows: ArrayLike, factors: Elements, factor_rows: ArrayLike
    ) -> None:
        """target[target_rows[i]] *= factors[factor_rows[i]] for every i in turn, in place."""
        targets = self._checked_rows(target_rows, target)
        sources = self._checked_rows(factor_rows, factors)
        if len(targets) != len(sources):
            raise ShapeError(f"{len(targets)} targets have {len(sources)} factors: give one each")
        self._code.multiply_rows(
            target.ctypes.data,
            targets.ctypes.data,
            factors.ctypes.data,
            sources.ctypes.data,
            len(targets),
            *self._constants,
        )

    def multiply_all(self, target: Elements, factors: Elements) -> None:
        """Row by row; a single factor multiplies every row."""
        rows = np.arange(len(target), dtype=np.uint32)
        self.multiply(target, rows, factors, rows if len(factors) > 1 else np.zeros_like(rows))

    def square(self, target: Elements, rows: ArrayLike) -> None:
        self.multiply(target, rows, target, rows)

    def _checked_rows(self, rows: ArrayLike, elements: Elements) -> NDArray[np.uint32]:
        """Row numbers as the kernel reads them, which itself would write anywhere."""
        numbers = np.ascontiguousarray(rows, dtype=np.uint32)
        if elements.dtype != np.uint64 or not elements.flags.c_contiguous:
            raise ShapeError(f"elements are {elements.dtype}: expected contiguous uint64")
        if elements.ndim != 2 or elements.shape[1] != self.width:
            raise ShapeError(f"elements have shape {elements.shape}: expected (any, {self.width})")
        if len(numbers) and numbers.max() >= len(elements):
            raise ShapeError(f"row {numbers.max()} is beyond the {len(elements)} elements")
        return numbers
