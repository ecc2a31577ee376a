"""How long aligning takes, from the cost of one identifier (A2, A3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.aligning import AlignmentCosts, estimate_alignment, measure_alignment
from tallystick.estimate import Cost

COSTS = AlignmentCosts(Cost(4.0, 2.0), Cost(3.0, 1.5), Cost(0.02, 0.01))
CUSTOMERS = st.integers(1, 10_000_000)


@given(CUSTOMERS, st.integers(1, 64))
def test_each_set_is_raised_by_both_sides(customers: int, participants: int) -> None:
    """The bank its own and each participant's; a participant its own and the bank's."""
    told = estimate_alignment("psi", customers, participants, COSTS)
    assert told.parties["bank"].cpu == pytest.approx(customers * (4 + 3 * participants))
    assert told.parties["partner-1"].cpu == pytest.approx(customers * 7)
    assert len(told.parties) == 1 + participants
    assert told.together == pytest.approx(sum(one.wall for one in told.parties.values()))
    assert told.apart <= told.together


@given(CUSTOMERS)
def test_what_a_party_does_while_another_works_takes_no_time_more(customers: int) -> None:
    told = estimate_alignment("psi", customers, 1, COSTS)
    assert told.apart == pytest.approx(customers * (2.0 + 2.0))


@given(CUSTOMERS, st.integers(1, 64))
def test_keyed_hashes_take_a_hash_a_customer(customers: int, participants: int) -> None:
    told = estimate_alignment("hash", customers, participants, COSTS)
    assert len(told.parties) == 1 + participants
    for one in told.parties.values():
        assert one.cpu == pytest.approx(0.02 * customers)


def test_what_is_measured_was_computed_rightly() -> None:
    costs = measure_alignment(2, 64, 1)
    assert 0 < costs.hashing.cpu < costs.blinding_again.cpu
    assert costs.blinding.cpu > 0
