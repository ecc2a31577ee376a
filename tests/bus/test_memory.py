"""How the in-process bus misbehaves on demand: the same seed, the same trouble."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import Disturbance, MemoryBroker, Outcome, Parcel

COUNT = 60
probabilities = st.floats(0.0, 1.0)


def arrivals(disturbance: Disturbance | None) -> list[int]:
    """The order in which COUNT parcels reach the partner."""
    broker = MemoryBroker(disturbance=disturbance)
    bank, partner = broker.endpoint("bank"), broker.endpoint("partner")
    outcomes: list[Outcome] = []
    for number in range(COUNT):
        bank.send(Parcel("bank", "partner", "envelope", {"number": number}, b""), outcomes.append)
    assert outcomes == [Outcome.CONFIRMED] * COUNT
    numbers = []
    while delivery := partner.receive(0):
        numbers.append(int(delivery.parcel.headers["number"]))
        delivery.acknowledge()
    return numbers


@given(st.integers(0, 2**32), probabilities, probabilities, probabilities, st.integers(0, 100))
def test_disturbed_parcels_are_neither_lost_nor_different_on_a_second_run(
    seed: int, reorder: float, duplicate: float, delay: float, patience: int
) -> None:
    disturbance = Disturbance(seed, reorder, duplicate, delay, patience)

    numbers = arrivals(disturbance)

    assert set(numbers) == set(range(COUNT))
    assert numbers == arrivals(disturbance)


def test_an_undisturbed_bus_keeps_the_order() -> None:
    assert arrivals(None) == list(range(COUNT))


@pytest.mark.parametrize("trouble", [Disturbance(1, reorder=0.5), Disturbance(1, delay=0.5)])
def test_reordering_and_delay_change_the_order_and_nothing_else(trouble: Disturbance) -> None:
    numbers = arrivals(trouble)

    assert numbers != list(range(COUNT))
    assert sorted(numbers) == list(range(COUNT))


def test_duplicates_come_as_deliveries_of_their_own() -> None:
    numbers = arrivals(Disturbance(1, duplicate=1.0))

    assert sorted(numbers) == sorted([*range(COUNT), *range(COUNT)])


def test_a_full_queue_takes_parcels_again_once_it_was_read() -> None:
    broker = MemoryBroker(queue_limit=2)
    bank, partner = broker.endpoint("bank"), broker.endpoint("partner")
    outcomes: list[Outcome] = []
    for number in range(3):
        bank.send(Parcel("bank", "partner", "envelope", {"number": number}, b""), outcomes.append)
    assert outcomes == [Outcome.CONFIRMED, Outcome.CONFIRMED, Outcome.FULL]
    delivery = partner.receive(0)
    assert delivery is not None
    bank.send(Parcel("bank", "partner", "envelope", {"number": 2}, b""), outcomes.append)
    assert outcomes[3] is Outcome.CONFIRMED
