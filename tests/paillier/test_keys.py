"""T3: the arbiter's key pair, and decryption."""

import dataclasses

import gmpy2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paillier import (
    CiphertextError,
    PrivateKey,
    PublicKey,
    UnsafeKeyError,
    generate_key_pair,
)

pytestmark = pytest.mark.usefixtures("kernel")


def test_a_generated_key_has_the_form_the_scheme_asks_for() -> None:
    key = generate_key_pair(512, minimum_bits=512)
    assert key.public.bits == 512
    assert key.p.bit_length() == key.q.bit_length() == 256
    assert key.p % 4 == key.q % 4 == 3
    assert gmpy2.is_prime(key.p)
    assert gmpy2.is_prime(key.q)
    assert gmpy2.gcd(key.p - 1, key.q - 1) == 2
    key.public.check(minimum_bits=512)


def test_the_published_base_is_an_nth_residue(private_key: PrivateKey) -> None:
    # so that its powers are encryptions of 0
    assert private_key.decrypt(private_key.hs) == 0


def test_generated_keys_differ() -> None:
    keys = {generate_key_pair(256, minimum_bits=256).public.n for _ in range(5)}
    assert len(keys) == 5


def test_a_short_key_needs_the_callers_word() -> None:
    with pytest.raises(UnsafeKeyError, match="1024 bits, at least 2048 are required"):
        generate_key_pair(1024)


def test_an_odd_length_is_refused() -> None:
    with pytest.raises(UnsafeKeyError, match="use even"):
        generate_key_pair(257, minimum_bits=256)


def test_the_key_id_depends_on_both_numbers(public_key: PublicKey) -> None:
    assert len(bytes.fromhex(public_key.key_id)) == 32
    assert public_key.key_id == PublicKey(public_key.n, public_key.hs).key_id
    assert public_key.key_id != dataclasses.replace(public_key, hs=public_key.hs + 1).key_id
    assert public_key.key_id != dataclasses.replace(public_key, n=public_key.n + 2).key_id


def test_the_primes_stay_out_of_logs(private_key: PrivateKey) -> None:
    shown = repr(private_key)
    assert str(private_key.p) not in shown
    assert str(private_key.q) not in shown


@given(data=st.data())
def test_decryption_inverts_the_textbook_encryption(
    private_key: PrivateKey, data: st.DataObject
) -> None:
    # given r^n (1 + n)^m mod n^2, Paillier's own formula
    n = private_key.public.n
    plaintext = data.draw(st.integers(min_value=0, max_value=n - 1))
    r = data.draw(st.integers(min_value=1, max_value=min(private_key.p, private_key.q) - 1))
    ciphertext = pow(r, n, n * n) * pow(1 + n, plaintext, n * n) % (n * n)
    assert private_key.decrypt(ciphertext) == plaintext


@pytest.mark.parametrize("threads", [1, 2])
def test_vectors_decrypt_in_order(private_key: PrivateKey, threads: int) -> None:
    n = private_key.public.modulus
    ciphertexts = [1 + n * plaintext for plaintext in range(20)]
    assert private_key.decrypt_all(ciphertexts, threads) == list(range(20))


def test_numbers_outside_the_ciphertext_space_are_refused(private_key: PrivateKey) -> None:
    for number in (0, -1, private_key.public.n**2):
        with pytest.raises(CiphertextError, match="not under this key"):
            private_key.decrypt(number)
