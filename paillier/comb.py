"""Powers of hs by a fixed-base comb: table entries multiplied together, no squaring.

The exponent is cut into windows of w bits; row j of the table holds hs^(e 2^(w j)) for every
e < 2^w, so hs^r is one entry of each row multiplied together. A wider window means fewer
products a value and a larger table: the number of values decides. The table is public.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import gmpy2
import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from paillier.compiled.comb import comb_rows, raise_and_add_block
from paillier.compiled.kernel import Elements, Kernel
from paillier.half_size import Multiplicands, join, powers
from paillier.kernels import compiled_kernel
from paillier.keys import PublicKey
from paillier.workers import blocks, in_parallel

VALUES_BLOCK = 256
# With gmpy2 every row of the table comes from far memory, so it should serve many values at once.
GMPY2_VALUES_BLOCK = 4096


@dataclass(frozen=True)
class CombCosts:
    """What a table costs, in units of one product by an entry: the arithmetic decides."""

    widest_window: int
    table_entry: float
    squaring: float
    entry_bytes: int


@dataclass(frozen=True)
class CompiledRows:
    """The powers as elements of the compiled kernel, of shape (rows, 2^window, width)."""

    kernel: Kernel
    elements: Elements


@dataclass(frozen=True)
class CombTable:
    """One row of powers a window; window 0 stands for no table at all."""

    public_key: PublicKey
    window: int
    rows: Sequence[Multiplicands] | CompiledRows


def comb_costs(public_key: PublicKey) -> CombCosts:
    kernel = compiled_kernel(public_key.modulus)
    if kernel:
        return CombCosts(12, table_entry=1.0, squaring=6.0, entry_bytes=8 * kernel.width)
    # Two half-size numbers with the overhead of Python's objects.
    entry_bytes = public_key.bits // 4 + 112
    return CombCosts(10, table_entry=2.5, squaring=1.5, entry_bytes=entry_bytes)


def best_window(values: int, public_key: PublicKey, memory_limit: int) -> int:
    """The window with the least work for so many values, or 0 where plain powers are cheaper."""
    bits, costs = public_key.randomness_bits, comb_costs(public_key)

    def cost(window: int) -> float:
        if window == 0:
            return values * bits * costs.squaring
        return _row_count(public_key, window) * (costs.table_entry * (1 << window) + values)

    fitting = [
        window
        for window in range(1, costs.widest_window + 1)
        if (_row_count(public_key, window) << window) * costs.entry_bytes <= memory_limit
    ]
    return min([0, *fitting], key=cost)


def build_table(public_key: PublicKey, window: int, threads: int = 1) -> CombTable:
    if window == 0:
        return CombTable(public_key, 0, ())
    bases = [mpz(public_key.hs)]
    while len(bases) < _row_count(public_key, window):
        bases.append(gmpy2.powmod(bases[-1], 1 << window, public_key.n_squared))
    kernel = compiled_kernel(public_key.modulus)
    if kernel:
        elements = comb_rows(kernel, bases, window, threads)
        return CombTable(public_key, window, CompiledRows(kernel, elements))
    rows = in_parallel(lambda base: powers(base, 1 << window, public_key), bases, threads)
    return CombTable(public_key, window, tuple(rows))


def _row_count(public_key: PublicKey, window: int) -> int:
    return -(-public_key.randomness_bits // window)


def raise_and_add(
    table: CombTable, exponents: bytes, plaintexts: Sequence[int], threads: int = 1
) -> list[mpz]:
    """hs^exponent * (1 + plaintext n) mod n^2 for every plaintext.

    `exponents` are little-endian numbers of randomness_bits bits, in whole bytes, one a plaintext.
    """
    key, rows = table.public_key, table.rows
    width = (key.randomness_bits + 7) // 8

    def raise_block(block: slice) -> list[mpz]:
        octets = exponents[block.start * width : block.stop * width]
        if table.window == 0:
            return _by_powers(key, octets, plaintexts[block])
        digits = _window_digits(octets, key.randomness_bits, table.window)
        if isinstance(rows, CompiledRows):
            return raise_and_add_block(rows.kernel, rows.elements, digits, plaintexts[block])
        return _by_table(key, rows, digits, plaintexts[block])

    size = VALUES_BLOCK
    if table.window and not isinstance(rows, CompiledRows):
        # Threads of gmpy2 meet after every product: measured, two take as long as one.
        size, threads = GMPY2_VALUES_BLOCK, 1
    results = in_parallel(raise_block, blocks(len(plaintexts), size, threads), threads)
    return [ciphertext for result in results for ciphertext in result]


def _by_table(
    key: PublicKey,
    rows: Sequence[Multiplicands],
    digits_of_rows: NDArray[np.int64],
    plaintexts: Sequence[int],
) -> list[mpz]:
    products, sums = [mpz(1)] * len(plaintexts), [mpz(plaintext) for plaintext in plaintexts]
    # Row by row, so that one row of the table stays in the processor's cache.
    for (residues, digits), chosen in zip(rows, digits_of_rows, strict=True):
        for i, e in enumerate(chosen.tolist()):
            if e:
                products[i] = products[i] * residues[e] % key.n_squared
                sums[i] += digits[e]
    return [join(p, s, key) for p, s in zip(products, sums, strict=True)]


def _window_digits(exponents: bytes, bits: int, window: int) -> NDArray[np.int64]:
    """Shape (rows of the table, values): which entry of each row each value takes."""
    octets = np.frombuffer(exponents, dtype=np.uint8).reshape(-1, (bits + 7) // 8)
    rows = -(-bits // window)
    padded = np.zeros((len(octets), rows * window), dtype=np.int64)
    padded[:, :bits] = np.unpackbits(octets, axis=1, bitorder="little")[:, :bits]
    weights = 1 << np.arange(window, dtype=np.int64)
    windows: NDArray[np.int64] = padded.reshape(len(octets), rows, window) @ weights
    return windows.T


def _by_powers(key: PublicKey, exponents: bytes, plaintexts: Sequence[int]) -> list[mpz]:
    width = (key.randomness_bits + 7) // 8
    ciphertexts = []
    for i, plaintext in enumerate(plaintexts):
        exponent = int.from_bytes(exponents[i * width : (i + 1) * width], "little")
        exponent &= (1 << key.randomness_bits) - 1
        obfuscator = gmpy2.powmod(key.hs, exponent, key.n_squared)
        ciphertexts.append(join(obfuscator, mpz(plaintext), key))
    return ciphertexts
