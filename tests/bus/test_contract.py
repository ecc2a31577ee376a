"""What every bus promises (D1). Runs on the in-process bus and on RabbitMQ alike."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Event, Lock

import pytest

from bus import DeadLetter, Delivery, Endpoint, EndpointClosedError, Outcome, Parcel
from bus.errors import DeliverySettledError
from bus.parcel import MAXIMUM_BODY
from tests.bus.buses import DELIVERY_LIMIT, PREFETCH, Bus, eventually

PATIENCE = 20.0


def send(endpoint: Endpoint, parcel: Parcel) -> Outcome:
    settled: Future[Outcome] = Future()
    endpoint.send(parcel, settled.set_result)
    return settled.result(PATIENCE)


def receive(endpoint: Endpoint) -> Delivery:
    delivery = endpoint.receive(PATIENCE)
    assert delivery is not None
    return delivery


def parcel(sender: str, recipient: str, number: int = 0, body: bytes = b"body") -> Parcel:
    return Parcel(sender, recipient, "envelope", {"number": number}, body)


def first_dead_letters(bus: Bus) -> list[DeadLetter]:
    """The broker moves them in its own time."""
    dead: list[DeadLetter] = []

    def have_come() -> bool:
        dead.extend(bus.dead_letters(bus.partner))
        return bool(dead)

    assert eventually(have_come)
    return dead


def number(delivery: Delivery) -> int:
    return int(delivery.parcel.headers["number"])


@pytest.fixture
def bank(bus: Bus) -> Endpoint:
    return bus.endpoint(bus.bank)


@pytest.fixture
def partner(bus: Bus) -> Endpoint:
    return bus.endpoint(bus.partner)


def test_a_confirmed_parcel_arrives_as_it_was_sent(bank: Endpoint, partner: Endpoint) -> None:
    headers: dict[str, str | int] = {"job": "2024-é", "size": 2**62, "less": -7, "empty": ""}
    sent = Parcel(bank.name, partner.name, "chunk", headers, bytes(range(256)))

    assert send(bank, sent) is Outcome.CONFIRMED

    delivery = receive(partner)
    assert delivery.parcel == sent
    assert (delivery.redelivered, delivery.attempts) == (False, 1)


def test_an_empty_body_and_one_of_a_mebibyte_pass(bank: Endpoint, partner: Endpoint) -> None:
    bodies = {0: b"", 1: b"\x00\xff" * (MAXIMUM_BODY // 2)}
    for key, body in bodies.items():
        assert send(bank, parcel(bank.name, partner.name, key, body)) is Outcome.CONFIRMED

    deliveries = [receive(partner), receive(partner)]

    assert {number(each): each.parcel.body for each in deliveries} == bodies


def test_a_party_without_a_queue_cannot_be_reached(bank: Endpoint) -> None:
    assert send(bank, parcel(bank.name, "nobody")) is Outcome.UNROUTABLE


def test_who_wants_to_know_is_told_of_deliveries(bank: Endpoint, partner: Endpoint) -> None:
    told = Event()
    partner.when_delivered(told.set)
    send(bank, parcel(bank.name, partner.name))
    assert told.wait(PATIENCE)
    taken = receive(partner)
    told.clear()
    taken.requeue()
    assert told.wait(PATIENCE)
    receive(partner).acknowledge()


def test_parcels_wait_for_a_recipient_that_is_away(bus: Bus, bank: Endpoint) -> None:
    bus.endpoint(bus.partner).close()

    assert send(bank, parcel(bank.name, bus.partner)) is Outcome.CONFIRMED

    assert receive(bus.endpoint(bus.partner)).attempts == 1


def test_nobody_sends_in_another_name(bus: Bus, bank: Endpoint, partner: Endpoint) -> None:
    assert send(bank, parcel("arbiter", partner.name, 1)) is Outcome.REFUSED
    assert send(bank, parcel(bank.name, partner.name, 2)) is Outcome.CONFIRMED

    assert number(receive(partner)) == 2


def test_receive_gives_nothing_when_nothing_comes(partner: Endpoint) -> None:
    assert partner.receive(0) is None
    assert partner.receive(0.01) is None


def test_acknowledged_is_gone_and_the_rest_is_delivered_again(
    bus: Bus, bank: Endpoint, partner: Endpoint
) -> None:
    for each in range(4):
        send(bank, parcel(bank.name, partner.name, each))
    first = [receive(partner) for _ in range(4)]
    for delivery in first:
        if number(delivery) % 2 == 0:
            delivery.acknowledge()
    partner.close()

    again = bus.endpoint(bus.partner)
    second = [receive(again), receive(again)]

    assert {number(each) for each in second} == {1, 3}
    assert {(each.redelivered, each.attempts) for each in second} == {(True, 2)}
    assert again.receive(0.2) is None


def test_settling_after_the_endpoint_was_closed_changes_nothing(
    bus: Bus, bank: Endpoint, partner: Endpoint
) -> None:
    for each in range(3):
        send(bank, parcel(bank.name, partner.name, each))
    late = [receive(partner) for _ in range(3)]
    partner.close()

    late[0].acknowledge()
    late[1].requeue()
    late[2].reject("too late")

    again = bus.endpoint(bus.partner)
    assert {number(receive(again)) for _ in range(3)} == {0, 1, 2}
    assert bus.dead_letters(bus.partner) == []


def test_a_delivery_is_settled_once(bank: Endpoint, partner: Endpoint) -> None:
    send(bank, parcel(bank.name, partner.name))
    delivery = receive(partner)
    delivery.acknowledge()

    for settle_again in (delivery.acknowledge, delivery.requeue, lambda: delivery.reject("no")):
        with pytest.raises(DeliverySettledError):
            settle_again()


def test_a_requeued_parcel_comes_again_until_the_delivery_limit(
    bus: Bus, bank: Endpoint, partner: Endpoint
) -> None:
    sent = parcel(bank.name, partner.name)
    send(bank, sent)

    attempts = []
    for _ in range(DELIVERY_LIMIT + 1):
        delivery = receive(partner)
        attempts.append(delivery.attempts)
        delivery.requeue()

    assert attempts == [1, 2, 3, 4]
    assert partner.receive(0.2) is None
    dead = first_dead_letters(bus)
    assert [(each.parcel, each.reason) for each in dead] == [(sent, "delivery_limit")]


def test_a_rejected_parcel_is_set_aside_with_the_reason(
    bus: Bus, bank: Endpoint, partner: Endpoint
) -> None:
    sent = parcel(bank.name, partner.name)
    send(bank, sent)

    receive(partner).reject("the signature does not fit")
    partner.close()

    dead = bus.dead_letters(bus.partner)
    assert [(each.parcel, each.reason) for each in dead] == [(sent, "the signature does not fit")]
    assert bus.endpoint(bus.partner).receive(0.2) is None


def test_unsettled_deliveries_are_bounded(bank: Endpoint, partner: Endpoint) -> None:
    for each in range(PREFETCH + 1):
        send(bank, parcel(bank.name, partner.name, each))
    held = [receive(partner) for _ in range(PREFETCH)]

    assert partner.receive(0.2) is None

    held[0].acknowledge()
    assert number(receive(partner)) not in {number(each) for each in held}


def test_one_endpoint_of_a_party_reads_and_the_next_takes_over(bus: Bus, bank: Endpoint) -> None:
    first, second = bus.endpoint(bus.partner), bus.endpoint(bus.partner)
    for each in range(6):
        send(bank, parcel(bank.name, bus.partner, each))
    for _ in range(3):
        receive(first).acknowledge()
    assert second.receive(0.1) is None

    first.close()

    for _ in range(3):
        receive(second).acknowledge()
    assert second.receive(0.1) is None


def test_two_endpoints_exchange_thousands_both_ways_at_once(
    bank: Endpoint, partner: Endpoint
) -> None:
    count = 2000
    outcomes: Counter[Outcome] = Counter()
    lock = Lock()

    def settled(outcome: Outcome) -> None:
        with lock:
            outcomes[outcome] += 1

    def send_all(sender: Endpoint, recipient: Endpoint) -> None:
        for each in range(count):
            sender.send(parcel(sender.name, recipient.name, each), settled)

    def receive_all(recipient: Endpoint) -> set[int]:
        seen: set[int] = set()
        while len(seen) < count:
            delivery = receive(recipient)
            seen.add(number(delivery))
            delivery.acknowledge()
        return seen

    with ThreadPoolExecutor(4) as threads:
        senders = [threads.submit(send_all, *pair) for pair in ((bank, partner), (partner, bank))]
        receivers = [threads.submit(receive_all, each) for each in (bank, partner)]
        for done in senders:
            done.result()
        received = [done.result() for done in receivers]

    assert received == [set(range(count)), set(range(count))]
    assert eventually(lambda: outcomes.total() == 2 * count)
    assert outcomes == {Outcome.CONFIRMED: 2 * count}


def test_closing_while_sending_settles_every_parcel_once(
    bus: Bus, bank: Endpoint, partner: Endpoint
) -> None:
    outcomes: list[tuple[int, Outcome]] = []
    sent: list[int] = []
    under_way = Event()

    def settled(each: int, outcome: Outcome) -> None:
        outcomes.append((each, outcome))

    def send_until_closed() -> None:
        for each in range(100_000):
            try:
                bank.send(
                    parcel(bank.name, partner.name, each, bytes(1000)), partial(settled, each)
                )
            except EndpointClosedError:
                return
            sent.append(each)
            under_way.set()

    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(send_until_closed)
        assert under_way.wait(PATIENCE)
        bank.close()
        sending.result()

    assert sorted(each for each, _ in outcomes) == sent
    confirmed = {each for each, outcome in outcomes if outcome is Outcome.CONFIRMED}
    assert confirmed <= set(_numbers_until_idle(partner))


def test_closing_wakes_whoever_waits(bus: Bus, partner: Endpoint) -> None:
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(partner.receive, PATIENCE)
        partner.close()
        with pytest.raises(EndpointClosedError):
            waiting.result()


def test_a_closed_endpoint_says_so_and_closing_again_is_harmless(
    bus: Bus, bank: Endpoint, partner: Endpoint
) -> None:
    assert bank.connected
    bank.close()
    bank.close()

    assert not bank.connected
    with pytest.raises(EndpointClosedError):
        bank.receive(0)
    with pytest.raises(EndpointClosedError):
        bank.send(parcel(bank.name, partner.name), lambda _outcome: None)


def _numbers_until_idle(endpoint: Endpoint) -> Iterator[int]:
    while (delivery := endpoint.receive(1.0)) is not None:
        yield number(delivery)
        delivery.acknowledge()
