"""T6, T7: the arbiter decrypts what it cannot read."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paillier import (
    DeterministicGenerator,
    Encryptor,
    PrivateKey,
    PublicKey,
    ShapeError,
    apply_masks,
    draw_masks,
    remove_masks,
    signed,
)

SECRET = b"a secret only the tests know"


@settings(max_examples=20)
@given(st.lists(st.integers(min_value=-(2**60), max_value=2**60), min_size=1, max_size=10))
def test_the_owner_takes_its_mask_off(private_key: PrivateKey, values: list[int]) -> None:
    # given
    key, generator = private_key.public, DeterministicGenerator(SECRET)
    encryptor = Encryptor(key)
    ciphertexts = encryptor.encrypt(values, generator.derive("values"))
    masks = draw_masks(len(values), key.n, generator.derive("masks"))
    obfuscators = encryptor.obfuscators(len(values), generator.derive("obfuscators"))
    # when the arbiter decrypts
    seen = private_key.decrypt_all(apply_masks(ciphertexts, masks, obfuscators, key))
    # then it sees value + mask modulo n, and the owner alone the value
    assert seen == [(value + mask) % key.n for value, mask in zip(values, masks, strict=True)]
    assert [signed(v, key.n) for v in remove_masks(seen, masks, key.n)] == values


def test_masks_fill_the_whole_plaintext_space(
    public_key: PublicKey, generator: DeterministicGenerator
) -> None:
    masks = draw_masks(400, public_key.n, generator)
    assert len(set(masks)) == 400
    assert all(0 <= mask < public_key.n for mask in masks)
    quarters = [4 * mask // public_key.n for mask in masks]
    assert all(quarters.count(quarter) > 60 for quarter in range(4))


def test_masked_ciphertexts_carry_fresh_randomness(
    public_key: PublicKey, generator: DeterministicGenerator
) -> None:
    # given the bare product of known ciphertexts, whoever knows them could recognise it
    encryptor = Encryptor(public_key)
    ciphertexts = encryptor.encrypt([1, 2], generator)
    masked = apply_masks(ciphertexts, [0, 0], encryptor.obfuscators(2, generator), public_key)
    n = public_key.n
    assert all(m % n != c % n for m, c in zip(masked, ciphertexts, strict=True))


def test_every_value_needs_its_own_mask_and_obfuscator(
    public_key: PublicKey, generator: DeterministicGenerator
) -> None:
    pair = Encryptor(public_key).obfuscators(2, generator)
    with pytest.raises(ShapeError, match="2 values need"):
        apply_masks(pair, [1], pair, public_key)
    with pytest.raises(ShapeError, match="2 values need"):
        apply_masks(pair, [1, 2], pair[:1], public_key)
    with pytest.raises(ShapeError, match="1 values need"):
        remove_masks([1], [1, 2], public_key.n)
