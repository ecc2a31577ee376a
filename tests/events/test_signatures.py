"""Two libraries, one verdict: what OpenSSL says of a signature (requirement D1)."""

import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from events.signatures import is_signed

KEY = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"bank").digest())
NEUTRAL = bytes([1]) + bytes(31)  # the point of order 1
ORDER = 2**252 + 27742317777372353535851937790883648493


def openssl_accepts(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


@given(st.binary(max_size=200))
def test_what_was_signed_is_signed(message: bytes) -> None:
    assert is_signed(KEY.public_key(), KEY.sign(message), message)


@given(st.binary(max_size=40), st.integers(0, 63), st.integers(1, 255))
def test_an_altered_signature_is_none(message: bytes, place: int, change: int) -> None:
    signature = bytearray(KEY.sign(message))
    signature[place] ^= change
    assert not is_signed(KEY.public_key(), bytes(signature), message)


@given(st.binary(max_size=130))
def test_bytes_of_any_length_are_no_signature(garbage: bytes) -> None:
    assert not is_signed(KEY.public_key(), garbage, b"message")


def test_a_second_form_of_the_same_signature_is_none() -> None:
    """S + L would verify as well where it is not forbidden (RFC 8032, 5.1.7)."""
    signature = KEY.sign(b"message")
    scalar = int.from_bytes(signature[32:], "little") + ORDER
    again = signature[:32] + scalar.to_bytes(32, "little")
    assert not is_signed(KEY.public_key(), again, b"message")


@pytest.mark.parametrize("key", [NEUTRAL, KEY.public_key().public_bytes_raw()])
@pytest.mark.parametrize("point", [NEUTRAL, bytes(32), bytes([255]) * 32])
def test_points_of_small_order_get_the_verdict_of_openssl(key: bytes, point: bytes) -> None:
    public, signature = Ed25519PublicKey.from_public_bytes(key), point + bytes(32)
    verdict = openssl_accepts(public, signature, b"message")
    assert is_signed(public, signature, b"message") is verdict


def test_what_libsodium_refuses_openssl_decides() -> None:
    """The neutral point as key and as R: only the stricter library takes offence."""
    public = Ed25519PublicKey.from_public_bytes(NEUTRAL)
    with pytest.raises(BadSignatureError):
        crypto_sign_open(NEUTRAL + bytes(32) + b"message", NEUTRAL)
    assert is_signed(public, NEUTRAL + bytes(32), b"message")
