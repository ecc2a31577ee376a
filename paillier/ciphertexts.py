"""Vectors of ciphertexts as bytes: big-endian numbers, each as wide as n^2, nothing between."""

from collections.abc import Sequence
from functools import reduce

import gmpy2
from gmpy2 import mpz

from paillier.errors import CiphertextError
from paillier.keys import PublicKey


def ciphertext_bytes(public_key: PublicKey) -> int:
    """The width of one ciphertext in bytes."""
    return (2 * public_key.bits + 7) // 8


def to_bytes(ciphertexts: Sequence[mpz], public_key: PublicKey) -> bytes:
    width = ciphertext_bytes(public_key)
    _check_range(ciphertexts, public_key)
    return b"".join(int(ciphertext).to_bytes(width, "big") for ciphertext in ciphertexts)


def from_bytes(data: bytes, public_key: PublicKey) -> list[mpz]:
    """The ciphertexts; CiphertextError unless all are in (0, n^2) and coprime to n."""
    width = ciphertext_bytes(public_key)
    if len(data) % width:
        raise CiphertextError(
            f"{len(data)} bytes are no whole number of {width}-byte ciphertexts: the payload was "
            "cut, or encrypted under a key of another length"
        )
    ciphertexts = [
        mpz(int.from_bytes(data[start : start + width], "big"))
        for start in range(0, len(data), width)
    ]
    _check_range(ciphertexts, public_key)
    # The product shares a factor with n exactly when one of them does.
    n = public_key.modulus
    if gmpy2.gcd(reduce(lambda x, y: x * y % n, ciphertexts, mpz(1)), n) != 1:
        raise CiphertextError("a ciphertext shares a factor with n: it was not encrypted")
    return ciphertexts


def _check_range(ciphertexts: Sequence[mpz], public_key: PublicKey) -> None:
    for position, ciphertext in enumerate(ciphertexts):
        if not 0 < ciphertext < public_key.n_squared:
            raise CiphertextError(
                f"ciphertext {position} of {len(ciphertexts)} is outside (0, n^2): it was not "
                "encrypted under this key"
            )
