"""Ciphertexts as fixed-width bytes."""

import pytest
from gmpy2 import mpz
from hypothesis import given
from hypothesis import strategies as st

from paillier import (
    CiphertextError,
    PrivateKey,
    PublicKey,
    ciphertext_bytes,
    from_bytes,
    to_bytes,
)


@given(data=st.data())
def test_bytes_give_the_ciphertexts_back(public_key: PublicKey, data: st.DataObject) -> None:
    # 2^255 is below both primes, so these numbers are coprime to n
    numbers = data.draw(st.lists(st.integers(min_value=1, max_value=2**255)))
    ciphertexts = [mpz(pow(number, 5, public_key.n**2)) for number in numbers]
    data_bytes = to_bytes(ciphertexts, public_key)
    assert len(data_bytes) == 128 * len(ciphertexts)
    assert from_bytes(data_bytes, public_key) == ciphertexts


def test_a_ciphertext_is_twice_as_wide_as_the_key(
    public_key: PublicKey, long_private_key: PrivateKey
) -> None:
    assert ciphertext_bytes(public_key) == 128
    assert ciphertext_bytes(long_private_key.public) == 512


def test_the_bytes_are_big_endian(public_key: PublicKey) -> None:
    assert to_bytes([mpz(258)], public_key) == bytes(126) + b"\x01\x02"


def test_a_cut_payload_is_refused(public_key: PublicKey) -> None:
    with pytest.raises(CiphertextError, match="127 bytes are no whole number of 128-byte"):
        from_bytes(bytes(127), public_key)


def test_numbers_outside_the_ciphertext_space_are_refused(public_key: PublicKey) -> None:
    for number in (0, public_key.n**2):
        data = to_bytes([mpz(1)], public_key) + number.to_bytes(128, "big")
        with pytest.raises(CiphertextError, match="ciphertext 1 of 2 is outside"):
            from_bytes(data, public_key)


def test_numbers_that_no_encryption_gives_are_refused(private_key: PrivateKey) -> None:
    data = b"".join(number.to_bytes(128, "big") for number in (1, 7 * private_key.q, 1))
    with pytest.raises(CiphertextError, match="shares a factor"):
        from_bytes(data, private_key.public)


def test_what_is_no_ciphertext_is_not_written(public_key: PublicKey) -> None:
    with pytest.raises(CiphertextError, match="outside"):
        to_bytes([mpz(-1)], public_key)
