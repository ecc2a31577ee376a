"""The owner's masks and the arbiter's cut: the sum comes back, and the rest stays behind."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paillier import (
    DeterministicGenerator,
    Encryptor,
    PlaintextRangeError,
    PrivateKey,
    SamplePacking,
    ShapeError,
    apply_slot_masks,
    cut_bytes,
    cut_slots,
    draw_slot_masks,
    most_rows_per_ciphertext,
    sample_packing,
    sums_of_cuts,
)
from paillier.sample_packing import HIDING_BITS, SPARE_BITS

pytestmark = pytest.mark.usefixtures("kernel")

SECRET = b"a secret only the tests know"
KEY_BITS = 512


def joined(slots: list[int], packing: SamplePacking) -> int:
    return sum(value << (packing.slot_bits * place) for place, value in enumerate(slots))


@settings(max_examples=60)
@given(data=st.data())
def test_the_wanted_sum_comes_back_whatever_its_neighbours_hold(
    private_key: PrivateKey, data: st.DataObject
) -> None:
    # given outputs whose slots hold anything up to the limits, and masks at their limits too
    sum_bits = data.draw(st.integers(2, 60))
    rows = data.draw(st.integers(1, min(most_rows_per_ciphertext(sum_bits, KEY_BITS), 12)))
    packing = sample_packing(rows, sum_bits, KEY_BITS)
    low, high = -(2 ** (sum_bits - 1)), 2 ** (sum_bits - 1) - 1
    value = st.sampled_from([low, -1, 0, 1, high]) | st.integers(low, high)
    outputs = data.draw(
        st.lists(st.lists(value, min_size=packing.slots, max_size=packing.slots), max_size=4)
    )
    highest = 2 ** (KEY_BITS - SPARE_BITS) - 1
    mask = st.sampled_from([0, 1, highest]) | st.integers(0, highest)
    masks = data.draw(st.lists(mask, min_size=len(outputs), max_size=len(outputs)))
    # when they are encrypted, masked, decrypted and cut
    encryptor, generator = Encryptor(private_key.public), DeterministicGenerator(SECRET)
    ciphertexts = encryptor.encrypt([joined(slots, packing) for slots in outputs], generator)
    obfuscators = encryptor.obfuscators(len(outputs), generator)
    masked = apply_slot_masks(ciphertexts, masks, obfuscators, packing, private_key.public)
    cuts = cut_slots(private_key.decrypt_all(masked), packing)
    # then
    wanted = [slots[packing.rows_per_ciphertext - 1] for slots in outputs]
    assert sums_of_cuts(cuts, masks, packing) == wanted
    assert all(cut < 2 ** (8 * cut_bytes(packing)) for cut in cuts)


@pytest.mark.parametrize("carry", [0, 1])
@pytest.mark.parametrize("wanted", [-(2**29), -1, 0, 2**29 - 1])
def test_a_carry_into_the_wanted_slot_is_seen_through(
    private_key: PrivateKey, wanted: int, carry: int
) -> None:
    """Given masks that are just too low, or just high enough, for a carry from below."""
    packing = sample_packing(4, 30, KEY_BITS)
    below = packing.wanted_bit - 1
    slots = [2**29 - 1, 5, -7, wanted, 3, -(2**29), 11]
    raised = joined([value + 2**29 for value in slots], packing)
    mask = 2**below - (raised % 2**below) - 1 + carry
    key = private_key.public
    (ciphertext,) = Encryptor(key).encrypt([joined(slots, packing)], DeterministicGenerator(SECRET))
    masked = apply_slot_masks([ciphertext], [mask], [1], packing, key)
    (plaintext,) = private_key.decrypt_all(masked)
    (cut,) = cut_slots([plaintext], packing)
    assert (cut - (mask >> below)) % 2 == carry
    assert sums_of_cuts([cut], [mask], packing) == [wanted]


@given(st.lists(st.integers(0, 2**20 - 1), min_size=7, max_size=7), st.integers(0, 2**510 - 1))
def test_what_is_cut_depends_on_the_other_slots_by_the_carry_alone(
    others: list[int], mask: int
) -> None:
    """The whole leak of a cut: for any mask, all other slots together move it by at most 1."""
    packing = sample_packing(4, 21, KEY_BITS)
    middle = packing.rows_per_ciphertext - 1
    others[middle] = 0
    (alone,) = cut_slots([mask], packing)
    (together,) = cut_slots([joined(others, packing) + mask], packing)
    assert (together - alone) % 2 ** (packing.slot_bits + 1) in {0, 1}


def test_the_arbiter_sees_a_number_below_n_that_nearly_uniform_masks_hide(
    private_key: PrivateKey, generator: DeterministicGenerator
) -> None:
    key = private_key.public
    packing = sample_packing(5, 30, KEY_BITS)
    masks = draw_slot_masks(50, key.bits, generator)
    assert max(masks).bit_length() == key.bits - SPARE_BITS
    largest = joined([2**30 - 1] * packing.slots, packing)
    assert largest >> (key.bits - SPARE_BITS - HIDING_BITS) == 0
    assert largest + 2 ** (key.bits - SPARE_BITS) < key.n


def test_a_result_that_is_not_the_cut_of_what_was_sent_is_noticed() -> None:
    packing = sample_packing(4, 30, KEY_BITS)
    with pytest.raises(PlaintextRangeError, match="30 bits"):
        sums_of_cuts([1 << packing.slot_bits], [0], packing)
    with pytest.raises(ShapeError, match="2 outputs were sent, but 1 came back"):
        sums_of_cuts([0], [0, 0], packing)
