"""phe as the oracle: what this room computes is plain Paillier."""

import pytest
from phe.paillier import EncryptedNumber, generate_paillier_keypair

from paillier import (
    DeterministicGenerator,
    Encryptor,
    PrivateKey,
    UnsafeKeyError,
    private_from_phe,
    private_to_phe,
    public_to_phe,
)

pytestmark = pytest.mark.usefixtures("kernel")


def test_phe_decrypts_our_ciphertexts(
    private_key: PrivateKey, generator: DeterministicGenerator
) -> None:
    values = [-(2**60), -1, 0, 1, 2**60]
    theirs = private_to_phe(private_key)
    ours = Encryptor(private_key.public).encrypt(values, generator)
    numbers = [EncryptedNumber(theirs.public_key, int(ciphertext)) for ciphertext in ours]
    assert [theirs.decrypt(number) for number in numbers] == values


def test_we_decrypt_phes_ciphertexts(private_key: PrivateKey) -> None:
    theirs = public_to_phe(private_key.public)
    plaintexts = [0, 1, 2**200, private_key.public.n - 1]
    ciphertexts = [theirs.raw_encrypt(plaintext) for plaintext in plaintexts]
    assert private_key.decrypt_all(ciphertexts) == plaintexts


def test_phe_adds_and_scales_our_ciphertexts(
    private_key: PrivateKey, generator: DeterministicGenerator
) -> None:
    theirs = private_to_phe(private_key)
    x, y = (
        EncryptedNumber(theirs.public_key, int(ciphertext))
        for ciphertext in Encryptor(private_key.public).encrypt([20, -3], generator)
    )
    total = 5 * (x + y) + theirs.public_key.encrypt(7)
    assert theirs.decrypt(total) == 92
    assert private_key.decrypt(total.ciphertext()) == 92


def test_a_key_survives_the_way_to_phe_and_back(
    private_key: PrivateKey, generator: DeterministicGenerator
) -> None:
    back = private_from_phe(private_to_phe(private_key))
    assert {back.p, back.q} == {private_key.p, private_key.q}
    back.public.check(minimum_bits=512)
    # the fresh base encrypts for the same primes
    assert private_key.decrypt_all(Encryptor(back.public).encrypt([41], generator)) == [41]


def test_a_key_of_another_form_is_refused() -> None:
    # given a key of phe's own with a prime that is 1 mod 4, as three of four have
    while True:
        _, theirs = generate_paillier_keypair(n_length=128)
        if theirs.p % 4 == 1 or theirs.q % 4 == 1:
            break
    with pytest.raises(UnsafeKeyError, match="3 mod 4"):
        private_from_phe(theirs)
