"""Several signed outputs in one ciphertext."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paillier import (
    DeterministicGenerator,
    Encryptor,
    PlaintextRangeError,
    PrivateKey,
    PublicKey,
    ShapeError,
    pack,
    signed,
    slots_per_ciphertext,
    unpack,
)

pytestmark = pytest.mark.usefixtures("kernel")

SECRET = b"a secret only the tests know"


@settings(max_examples=40)
@given(data=st.data())
def test_packed_values_come_back(private_key: PrivateKey, data: st.DataObject) -> None:
    # given signed values up to the very limits of their slots
    slot_bits = data.draw(st.integers(min_value=2, max_value=510))
    low, high = -(2 ** (slot_bits - 1)), 2 ** (slot_bits - 1) - 1
    value = st.sampled_from([low, low + 1, -1, 0, 1, high]) | st.integers(low, high)
    values = data.draw(st.lists(value, max_size=20))
    # when they are encrypted, packed and decrypted
    key = private_key.public
    ciphertexts = Encryptor(key).encrypt(values, DeterministicGenerator(SECRET))
    packed = pack(ciphertexts, slot_bits, key)
    # then
    assert len(packed) == -(-len(values) // slots_per_ciphertext(key, slot_bits))
    plaintexts = private_key.decrypt_all(packed)
    assert unpack(plaintexts, slot_bits, len(values), key.n) == values
    assert pack(ciphertexts, slot_bits, key, threads=2) == packed


@pytest.mark.parametrize("slot_bits", [2, 3, 46, 64, 255, 510])
@pytest.mark.parametrize("limit", ["lowest", "highest"])
def test_full_slots_at_their_limits(
    private_key: PrivateKey, generator: DeterministicGenerator, slot_bits: int, limit: str
) -> None:
    key = private_key.public
    extreme = -(2 ** (slot_bits - 1)) if limit == "lowest" else 2 ** (slot_bits - 1) - 1
    values = [extreme] * (slots_per_ciphertext(key, slot_bits) + 1)
    packed = pack(Encryptor(key).encrypt(values, generator), slot_bits, key)
    assert unpack(private_key.decrypt_all(packed), slot_bits, len(values), key.n) == values


def test_slots_leave_two_bits_free(public_key: PublicKey) -> None:
    assert slots_per_ciphertext(public_key, 46) == 510 // 46
    assert slots_per_ciphertext(public_key, 510) == 1


@pytest.mark.parametrize("slot_bits", [-1, 0, 1, 511])
def test_impossible_slots_are_refused(public_key: PublicKey, slot_bits: int) -> None:
    with pytest.raises(PlaintextRangeError, match="slots have from 2 to 510 bits"):
        slots_per_ciphertext(public_key, slot_bits)


def test_a_value_that_outgrew_its_slot_is_noticed(
    private_key: PrivateKey, generator: DeterministicGenerator
) -> None:
    key = private_key.public
    packed = pack(Encryptor(key).encrypt([1, 2**7], generator), 8, key)
    with pytest.raises(PlaintextRangeError, match="outgrew"):
        unpack(private_key.decrypt_all(packed), 8, 2, key.n)


def test_a_missing_plaintext_is_noticed(public_key: PublicKey) -> None:
    with pytest.raises(ShapeError, match="2 plaintexts, not 1"):
        unpack([0], 500, 2, public_key.n)


def test_signed_is_the_nearest_to_zero() -> None:
    assert [signed(plaintext, 7) for plaintext in range(7)] == [0, 1, 2, 3, -3, -2, -1]
