"""Several rows in one ciphertext: the layout."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paillier import PlaintextRangeError, most_rows_per_ciphertext, pack_rows, sample_packing
from paillier.sample_packing import GAP_BITS, HIDING_BITS, SPARE_BITS


@given(st.integers(2, 120), st.integers(256, 4096))
def test_the_slots_of_an_output_stay_under_the_mask(sum_bits: int, key_bits: int) -> None:
    most = most_rows_per_ciphertext(sum_bits, key_bits)
    for rows in range(1, most + 1):
        packing = sample_packing(rows, sum_bits, key_bits)
        assert packing.slot_bits >= sum_bits + GAP_BITS
        assert packing.slots * packing.slot_bits <= key_bits - SPARE_BITS - HIDING_BITS
    with pytest.raises(PlaintextRangeError, match=f"room for 1 to {most}"):
        sample_packing(most + 1, sum_bits, key_bits)


def test_the_sizes_of_the_sources_own_job() -> None:
    """66,274 customers, one participant, a key of 2048 bits (P6)."""
    packing = sample_packing(17, 51, 2048)
    assert most_rows_per_ciphertext(51, 2048) == 17
    assert (packing.slots, packing.slot_bits, packing.wanted_bit) == (33, 60, 960)
    assert packing.ciphertexts(66_274) == 3_899


@given(
    st.lists(st.integers(-(2**29), 2**29 - 1), max_size=30),
    st.integers(1, 6),
)
def test_rows_sit_side_by_side(values: list[int], rows: int) -> None:
    packing = sample_packing(rows, 30, 512)
    plaintexts = pack_rows(values, packing)
    assert len(plaintexts) == packing.ciphertexts(len(values))
    read = []
    for plaintext in plaintexts:
        rest = plaintext
        for _ in range(rows):
            # Balanced digits: a negative number has borrowed one from its neighbour.
            half = 1 << (packing.slot_bits - 1)
            digit = (rest + half) % (2 * half) - half
            read.append(digit)
            rest = (rest - digit) >> packing.slot_bits
        assert rest == 0
    assert read == [*values, *[0] * (len(read) - len(values))]


@pytest.mark.parametrize("value", [2**29, -(2**29) - 1])
def test_a_value_that_has_no_room_is_refused(value: int) -> None:
    with pytest.raises(PlaintextRangeError, match="30 bits"):
        pack_rows([0, value], sample_packing(3, 30, 512))
