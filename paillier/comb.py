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

from paillier.half_size import Multiplicands, join, powers
from paillier.keys import PublicKey
from paillier.workers import blocks, in_parallel

WIDEST_WINDOW = 10
# Costs in units of one product by a half-size entry.
TABLE_ENTRY_COST = 2.5
SQUARING_COST = 1.5
OBJECT_BYTES = 112
VALUES_BLOCK = 256


@dataclass(frozen=True)
class CombTable:
    """One row of powers a window; window 0 stands for no table at all."""

    public_key: PublicKey
    window: int
    rows: Sequence[Multiplicands]


def best_window(values: int, public_key: PublicKey, memory_limit: int) -> int:
    """The window with the least work for so many values, or 0 where plain powers are cheaper."""
    bits = public_key.randomness_bits
    entry_bytes = public_key.bits // 4 + OBJECT_BYTES

    def cost(window: int) -> float:
        if window == 0:
            return values * bits * SQUARING_COST
        rows = -(-bits // window)
        return rows * (TABLE_ENTRY_COST * (1 << window) + values)

    fitting = [
        window
        for window in range(1, WIDEST_WINDOW + 1)
        if (-(-bits // window) << window) * entry_bytes <= memory_limit
    ]
    return min([0, *fitting], key=cost)


def build_table(public_key: PublicKey, window: int, threads: int = 1) -> CombTable:
    if window == 0:
        return CombTable(public_key, 0, ())
    bases = [mpz(public_key.hs)]
    for _ in range(-(-public_key.randomness_bits // window) - 1):
        bases.append(gmpy2.powmod(bases[-1], 1 << window, public_key.n_squared))
    rows = in_parallel(lambda base: powers(base, 1 << window, public_key), bases, threads)
    return CombTable(public_key, window, tuple(rows))


def raise_and_add(
    table: CombTable, exponents: bytes, plaintexts: Sequence[int], threads: int = 1
) -> list[mpz]:
    """hs^exponent * (1 + plaintext n) mod n^2 for every plaintext.

    `exponents` are little-endian numbers of randomness_bits bits, in whole bytes, one a plaintext.
    """
    width = (table.public_key.randomness_bits + 7) // 8
    compute = _by_table if table.window else _by_powers

    def task(block: slice) -> list[mpz]:
        return compute(
            table, exponents[block.start * width : block.stop * width], plaintexts[block]
        )

    results = in_parallel(task, blocks(len(plaintexts), VALUES_BLOCK), threads)
    return [ciphertext for result in results for ciphertext in result]


def _by_table(table: CombTable, exponents: bytes, plaintexts: Sequence[int]) -> list[mpz]:
    n_squared = table.public_key.n_squared
    products, sums = [mpz(1)] * len(plaintexts), [mpz(plaintext) for plaintext in plaintexts]
    # Row by row, so that one row of the table stays in the processor's cache.
    digits_of_rows = _window_digits(exponents, len(plaintexts), table)
    for (residues, digits), chosen in zip(table.rows, digits_of_rows, strict=True):
        for i, e in enumerate(chosen.tolist()):
            if e:
                products[i] = products[i] * residues[e] % n_squared
                sums[i] += digits[e]
    return [join(p, s, table.public_key) for p, s in zip(products, sums, strict=True)]


def _window_digits(exponents: bytes, count: int, table: CombTable) -> NDArray[np.int64]:
    """Shape (rows of the table, values): which entry of each row each value takes."""
    bits = table.public_key.randomness_bits
    octets = np.frombuffer(exponents, dtype=np.uint8).reshape(count, (bits + 7) // 8)
    padded = np.zeros((count, len(table.rows) * table.window), dtype=np.int64)
    padded[:, :bits] = np.unpackbits(octets, axis=1, bitorder="little")[:, :bits]
    weights = 1 << np.arange(table.window, dtype=np.int64)
    windows: NDArray[np.int64] = padded.reshape(count, len(table.rows), table.window) @ weights
    return windows.T


def _by_powers(table: CombTable, exponents: bytes, plaintexts: Sequence[int]) -> list[mpz]:
    key = table.public_key
    width = (key.randomness_bits + 7) // 8
    ciphertexts = []
    for i, plaintext in enumerate(plaintexts):
        exponent = int.from_bytes(exponents[i * width : (i + 1) * width], "little")
        exponent &= (1 << key.randomness_bits) - 1
        obfuscator = gmpy2.powmod(key.hs, exponent, key.n_squared)
        ciphertexts.append(join(obfuscator, mpz(plaintext), key))
    return ciphertexts
