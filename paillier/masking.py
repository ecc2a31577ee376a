"""Masks that hide a gradient from the arbiter that decrypts it (requirements T6, T7).

A mask is uniform in Z_n, fresh for every value, so the masked value is uniform whatever was in
it: perfect hiding. Smaller or floating-point masks would only blur.
"""

from collections.abc import Sequence

from gmpy2 import mpz

from paillier.errors import ShapeError
from paillier.generator import DeterministicGenerator
from paillier.keys import PublicKey


def draw_masks(count: int, n: int, generator: DeterministicGenerator) -> list[int]:
    return [generator.below(n) for _ in range(count)]


def apply_masks(
    ciphertexts: Sequence[mpz],
    masks: Sequence[int],
    obfuscators: Sequence[mpz],
    public_key: PublicKey,
) -> list[mpz]:
    """E(value + mask mod n) with fresh randomness, for every value.

    `obfuscators` are fresh encryptions of 0, each used once; without them the receiver could
    recognise the randomness of the ciphertexts the gradient was made of.
    """
    _check_lengths(len(ciphertexts), len(masks))
    _check_lengths(len(ciphertexts), len(obfuscators))
    n, n_squared = public_key.modulus, public_key.n_squared
    return [
        ciphertext * obfuscator % n_squared * (1 + n * mask) % n_squared
        for ciphertext, mask, obfuscator in zip(ciphertexts, masks, obfuscators, strict=True)
    ]


def remove_masks(plaintexts: Sequence[int], masks: Sequence[int], n: int) -> list[int]:
    """The values in [0, n) that the arbiter decrypted without seeing them."""
    _check_lengths(len(plaintexts), len(masks))
    return [(plaintext - mask) % n for plaintext, mask in zip(plaintexts, masks, strict=True)]


def _check_lengths(values: int, others: int) -> None:
    if values != others:
        raise ShapeError(f"{values} values need one mask and one obfuscator each, not {others}")
