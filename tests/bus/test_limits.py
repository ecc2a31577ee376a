"""The broker's limits, on a real RabbitMQ: none of them loses a parcel or stops other work."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from bus import Endpoint, Outcome, Parcel, open_endpoint
from bus.errors import BrokerUnreachableError, ParcelTooLargeError
from bus.message import properties_of, routing_key
from bus.parcel import MAXIMUM_BODY, MAXIMUM_HEADER_TEXT, MAXIMUM_HEADERS
from bus.publisher import Sending
from bus.rabbitmq import RabbitEndpoint
from bus.topology import EXCHANGE, queue_name
from tests.brokers import PrivateBroker
from tests.bus.buses import RabbitBus, eventually, settings_for_tests

COUNT = 60
LIMIT = 10


@pytest.fixture
def bus(rabbitmq: PrivateBroker) -> Iterator[RabbitBus]:
    bus = RabbitBus(rabbitmq.amqp_url)
    yield bus
    bus.close()


def parcel(sender: str, recipient: str, number: int, size: int = 200) -> Parcel:
    return Parcel(sender, recipient, "envelope", {"number": number}, bytes(size))


def numbers_in(endpoint: Endpoint) -> list[int]:
    """Acknowledge what there is."""
    seen = []
    while (delivery := endpoint.receive(1.0)) is not None:
        seen.append(int(delivery.parcel.headers["number"]))
        delivery.acknowledge()
    return seen


def _has(outcomes: dict[int, Outcome], count: int) -> bool:
    return len(outcomes) == count


@contextmanager
def bounded(broker: PrivateBroker, party: str) -> Iterator[None]:
    """The party's queue holds LIMIT messages, as a policy of an administrator says."""
    pattern = f"^{queue_name(party)}$"
    broker.control("set_policy", party, pattern, f'{{"max-length":{LIMIT}}}', "-p", "tallystick")
    yield
    broker.control("clear_policy", party, "-p", "tallystick")


@contextmanager
def setting(broker: PrivateBroker, name: str, value: int) -> Iterator[None]:
    """For connections made from now on."""
    before = broker.control("eval", f"application:get_env(rabbit, {name}, none).").strip()
    broker.control("eval", f"application:set_env(rabbit, {name}, {value}).")
    yield
    value_before = before.removeprefix("{ok,").removesuffix("}")
    broker.control("eval", f"application:set_env(rabbit, {name}, {value_before}).")


def test_a_full_queue_sends_back_what_it_cannot_hold_and_loses_nothing(
    bus: RabbitBus, rabbitmq: PrivateBroker
) -> None:
    """Given a recipient who does not read, then parcels beyond the limit come back as FULL; sent
    again while it reads, all arrive, and parcels to others are confirmed all the time.
    """
    bank, third = bus.endpoint(bus.bank), bus.bank
    bus.endpoint(bus.partner).close()  # its queue is there
    outcomes: dict[int, Outcome] = {}

    def send(number: int, recipient: str) -> None:
        settled = partial(outcomes.__setitem__, number)
        bank.send(parcel(bank.name, recipient, number), settled)

    with bounded(rabbitmq, bus.partner):
        for start in range(0, COUNT, LIMIT):  # the broker notices a full queue a little late
            for number in range(start, start + LIMIT):
                send(number, bus.partner)
            assert eventually(partial(_has, outcomes, start + LIMIT))
        send(COUNT, third)
        assert eventually(partial(_has, outcomes, COUNT + 1))
        kept = {n for n in range(COUNT) if outcomes[n] is Outcome.CONFIRMED}
        assert {outcomes[n] for n in range(COUNT)} == {Outcome.CONFIRMED, Outcome.FULL}
        assert outcomes[COUNT] is Outcome.CONFIRMED
        assert len(kept) < COUNT

        partner = bus.endpoint(bus.partner)
        arrived = set(numbers_in(partner))
        assert arrived == kept
        while missing := {n for n in range(COUNT) if outcomes[n] is Outcome.FULL}:
            for number in sorted(missing)[:LIMIT]:
                del outcomes[number]
                send(number, bus.partner)
            assert eventually(partial(_has, outcomes, COUNT + 1))
            arrived |= set(numbers_in(partner))
    assert arrived == set(range(COUNT))
    assert bank.connected
    assert bank.last_error is None


def test_a_disk_alarm_makes_sends_wait_and_stops_nothing_else(
    bus: RabbitBus, rabbitmq: PrivateBroker
) -> None:
    bank, partner = bus.endpoint(bus.bank), bus.endpoint(bus.partner)
    outcomes: list[Outcome] = []
    bank.send(parcel(bank.name, partner.name, 1), outcomes.append)
    assert eventually(lambda: len(outcomes) == 1)
    rabbitmq.control("set_disk_free_limit", "9000GB")
    try:
        bank.send(parcel(bank.name, partner.name, 2), outcomes.append)
        assert eventually(lambda: bank.blocked is not None)
        assert bank.blocked == "low on disk"
        assert numbers_in(partner) == [1]
        assert len(outcomes) == 1
    finally:
        rabbitmq.control("set_disk_free_limit", "256MB")
    assert eventually(lambda: outcomes == [Outcome.CONFIRMED] * 2)
    assert bank.blocked is None
    assert numbers_in(partner) == [2]


def test_the_largest_parcel_fits_into_the_largest_message(bus: RabbitBus) -> None:
    bank, partner = bus.endpoint(bus.bank), bus.endpoint(bus.partner)
    headers = {f"h{n}": "x" * MAXIMUM_HEADER_TEXT for n in range(MAXIMUM_HEADERS)}
    outcomes: list[Outcome] = []
    largest = Parcel(bank.name, partner.name, "chunk", headers, bytes(MAXIMUM_BODY))
    bank.send(largest, outcomes.append)
    delivery = partner.receive(30)
    assert delivery is not None
    assert delivery.parcel == largest
    delivery.acknowledge()
    assert eventually(lambda: outcomes == [Outcome.CONFIRMED])


def test_a_message_beyond_the_limit_is_refused_alone(
    bus: RabbitBus, rabbitmq: PrivateBroker
) -> None:
    """What our own parcels never are: a message of 3 MiB, among others under way."""
    partner = bus.endpoint(bus.partner)
    bank = RabbitEndpoint(settings_for_tests(rabbitmq.amqp_url), bus.bank)
    bank.wait_until_connected(20)
    outcomes: dict[int, Outcome] = {}
    for number in range(12):
        message = parcel(bank.name, partner.name, number)
        body = bytes(3 * MAXIMUM_BODY) if number == 5 else message.body
        settled = partial(outcomes.__setitem__, number)
        properties = properties_of(message, "tallystick")
        sending = Sending(EXCHANGE, routing_key(message), properties, body, settled)
        bank._post(partial(bank._publisher.publish, sending))
    assert eventually(lambda: len(outcomes) == 12)
    assert {n for n, outcome in outcomes.items() if outcome is Outcome.REFUSED} == {5}
    assert set(numbers_in(partner)) == set(range(12)) - {5}
    assert isinstance(bank.last_error, ParcelTooLargeError)
    bank.close()


def test_a_broker_that_takes_less_than_a_parcel_is_reported(
    bus: RabbitBus, rabbitmq: PrivateBroker
) -> None:
    with setting(rabbitmq, "max_message_size", 65536):
        bank, partner = bus.endpoint(bus.bank), bus.endpoint(bus.partner)
        outcomes: list[Outcome] = []
        bank.send(parcel(bank.name, partner.name, 1, MAXIMUM_BODY), outcomes.append)
        assert eventually(lambda: outcomes == [Outcome.REFUSED])
        assert isinstance(bank.last_error, ParcelTooLargeError)
        assert "max_message_size" in str(bank.last_error)


def test_what_is_held_longer_than_the_consumer_timeout_comes_again(
    bus: RabbitBus, rabbitmq: PrivateBroker
) -> None:
    """Half an hour by default: a log whose disk is full for so long loses nothing."""
    with (
        setting(rabbitmq, "consumer_timeout", 3000),
        setting(rabbitmq, "channel_tick_interval", 500),
    ):
        address = settings_for_tests(rabbitmq.amqp_url, delivery_limit=3)
        partner = open_endpoint(address, bus.partner)
        bank = bus.endpoint(bus.bank)
        bank.send(parcel(bank.name, partner.name, 1), lambda _outcome: None)
        held = partner.receive(30)
        assert held is not None
        assert eventually(lambda: isinstance(partner.last_error, BrokerUnreachableError))
        again = partner.receive(30)
        assert again is not None
        held.acknowledge()  # too late, and harmless
        again.acknowledge()
    assert (again.redelivered, again.attempts) == (True, 2)
    assert "consumer_timeout" in str(partner.last_error)
    assert numbers_in(partner) == []
    partner.close()
