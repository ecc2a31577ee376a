"""What only a real broker can do to us: refuse, block, hang up (D1, D2)."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import Empty, Queue
from time import monotonic, sleep

import pika
import pytest

from bus import Endpoint, Outcome, Parcel, open_endpoint
from bus.errors import (
    AccessRefusedError,
    BrokerError,
    BrokerTlsError,
    BrokerUnreachableError,
    LoginRefusedError,
    TopologyError,
    VirtualHostError,
)
from bus.message import properties_of, routing_key
from bus.publisher import Sending
from bus.rabbitmq import RabbitEndpoint
from bus.topology import EXCHANGE, dead_queue_name
from tests.brokers import PrivateBroker, private_broker
from tests.bus.buses import RabbitBus, eventually, reason_and_route, settings_for_tests
from tests.certificates import Authority


@pytest.fixture
def bus(rabbitmq: PrivateBroker) -> Iterator[RabbitBus]:
    bus = RabbitBus(rabbitmq.amqp_url)
    yield bus
    bus.close()


def parcel(sender: str, recipient: str, number: int) -> Parcel:
    return Parcel(sender, recipient, "envelope", {"number": number}, bytes(200))


def receive_numbers(endpoint: Endpoint, wanted: set[int]) -> set[int]:
    """Acknowledge what comes until everything wanted has come."""
    seen: set[int] = set()
    deadline = monotonic() + 60
    while not wanted <= seen and monotonic() < deadline:
        if delivery := endpoint.receive(1.0):
            seen.add(int(delivery.parcel.headers["number"]))
            delivery.acknowledge()
    return seen


def messages_of(error: BaseException | None) -> str:
    """What a person would see: the error and everything that led to it."""
    return f"{error!r} {messages_of(error.__cause__ or error.__context__)}" if error else ""


def test_a_broker_killed_in_mid_stream_loses_nothing() -> None:
    """Given a stream of parcels, when the broker is killed and started again, then every
    parcel is settled, the sender repeats the lost ones, and all arrive.
    """
    count = 3000
    outcomes: Counter[Outcome] = Counter()
    again: Queue[int] = Queue()
    with private_broker() as broker:
        settings = settings_for_tests(broker.amqp_url, delivery_limit=50)
        bank, partner = open_endpoint(settings, "bank"), open_endpoint(settings, "partner")
        sleep(2.5)  # a quorum queue killed in its first second is lost: a defect of RabbitMQ

        def send_until_confirmed(number: int) -> None:
            def settled(outcome: Outcome) -> None:
                outcomes[outcome] += 1
                if outcome is not Outcome.CONFIRMED:
                    again.put(number)

            bank.send(parcel("bank", "partner", number), settled)

        def send_all() -> None:
            for number in range(count):
                send_until_confirmed(number)
            while outcomes[Outcome.CONFIRMED] < count:
                with suppress(Empty):
                    send_until_confirmed(again.get(timeout=0.1))

        with ThreadPoolExecutor(2) as threads:
            sending = threads.submit(send_all)
            receiving = threads.submit(receive_numbers, partner, set(range(count)))
            assert eventually(lambda: outcomes.total() > count // 10)
            broker.kill()
            assert eventually(lambda: not bank.connected and not partner.connected)
            broker.start()
            sending.result()
            assert receiving.result() == set(range(count))

        assert outcomes[Outcome.CONFIRMED] == count
        assert isinstance(bank.last_error, BrokerUnreachableError)
        assert bank.connected
        bank.close()
        partner.close()


def test_heartbeats_go_on_while_the_party_computes(bus: RabbitBus, rabbitmq: PrivateBroker) -> None:
    settings = settings_for_tests(rabbitmq.amqp_url, heartbeat=1)
    bank, partner = (open_endpoint(settings, name) for name in (bus.bank, bus.partner))
    bank.send(parcel(bank.name, partner.name, 1), lambda _outcome: None)
    delivery = partner.receive(20)
    assert delivery is not None

    computed, deadline = 0, monotonic() + 3.5
    while monotonic() < deadline:
        computed += sum(range(1000))
    delivery.acknowledge()

    assert partner.receive(0.3) is None
    assert (bank.last_error, partner.last_error) == (None, None)
    bank.close()
    partner.close()


def test_the_brokers_refusal_hits_the_impostors_parcels_and_no_other(
    bus: RabbitBus, rabbitmq: PrivateBroker
) -> None:
    """Given a user who may publish as "mallory" only, when parcels in another name are under
    way among its own, then those are refused, the others confirmed, and receiving goes on.
    """
    partner = bus.endpoint(bus.partner)
    settings = settings_for_tests(rabbitmq.url_of("mallory"))
    mallory = RabbitEndpoint(settings, bus.bank)
    mallory.wait_until_connected(20)
    outcomes: dict[int, Outcome] = {}

    for number in range(30):
        sender = "bank" if number % 7 == 3 else "mallory"
        message = parcel(sender, partner.name, number)
        sending = Sending(
            EXCHANGE,
            routing_key(message),
            properties_of(message, "mallory"),
            message.body,
            partial(outcomes.__setitem__, number),
        )
        mallory._post(partial(mallory._publisher.publish, sending))

    assert eventually(lambda: len(outcomes) == 30)
    refused = {number for number, outcome in outcomes.items() if outcome is Outcome.REFUSED}
    assert refused == {3, 10, 17, 24}
    assert set(outcomes.values()) == {Outcome.REFUSED, Outcome.CONFIRMED}
    assert receive_numbers(partner, set(range(30)) - refused) == set(range(30)) - refused
    assert isinstance(mallory.last_error, AccessRefusedError)
    partner.send(parcel(partner.name, mallory.name, 7), lambda _outcome: None)
    assert receive_numbers(mallory, {7}) == {7}
    mallory.close()


def test_a_memory_alarm_makes_sends_wait_and_stops_nothing_else(
    bus: RabbitBus, rabbitmq: PrivateBroker
) -> None:
    bank, partner = bus.endpoint(bus.bank), bus.endpoint(bus.partner)
    outcomes: list[Outcome] = []
    for number in range(4):
        bank.send(parcel(bank.name, partner.name, number), outcomes.append)
    assert eventually(lambda: len(outcomes) == 4)
    rabbitmq.control("set_vm_memory_high_watermark", "0.0000001")
    try:
        bank.send(parcel(bank.name, partner.name, 4), outcomes.append)
        assert eventually(lambda: bank.blocked is not None)
        assert bank.blocked == "low on memory"
        assert receive_numbers(partner, {0, 1, 2, 3}) == {0, 1, 2, 3}
        assert bank.connected
        assert len(outcomes) == 4
    finally:
        rabbitmq.control("set_vm_memory_high_watermark", "0.4")

    assert receive_numbers(partner, {4}) == {4}
    assert eventually(lambda: outcomes == [Outcome.CONFIRMED] * 5)
    assert bank.blocked is None


@pytest.mark.parametrize(
    ("route", "properties", "body", "reason"),
    [
        ("Bank.{}", {"type": "envelope"}, b"", "party name"),
        ("bank.{}", {"type": "gossip"}, b"", "kind"),
        ("bank.{}", {}, b"", "kind"),
        ("bank.{}", {"type": "chunk"}, bytes(1024 * 1024 + 1), "at most"),
        ("bank.{}", {"type": "chunk", "headers": {"N": 1}}, b"", "header"),
        ("bank.{}", {"type": "chunk", "headers": {"n": [1]}}, b"", "header"),
        ("bank.{}", {"type": "chunk", "headers": {"x-delivery-count": "?", "N": 1}}, b"", "name"),
        ("bank.{}", {"type": "chunk", "headers": {b"\xff": 1}}, b"", "no text"),
    ],
)
def test_what_is_no_parcel_is_set_aside_with_the_reason(
    bus: RabbitBus,
    rabbitmq: PrivateBroker,
    route: str,
    properties: dict[str, object],
    body: bytes,
    reason: str,
) -> None:
    partner = bus.endpoint(bus.partner)
    with pika.BlockingConnection(pika.URLParameters(rabbitmq.amqp_url)) as connection:
        channel = connection.channel()
        key = route.format(partner.name)
        channel.basic_publish(EXCHANGE, key, body, pika.BasicProperties(**properties))
        found: list[tuple[str, str]] = []

        def set_aside() -> bool:
            _, dead, _ = channel.basic_get(dead_queue_name(partner.name), auto_ack=True)
            found.extend([reason_and_route(dead)] if dead else [])
            return bool(found)

        assert eventually(set_aside)
    assert reason in found[0][0]
    assert found[0][1] == key
    assert partner.receive(0.1) is None


class Poison(pika.BasicProperties):  # type: ignore[misc]
    """A time so late that the client library cannot say it: reading the message raises there."""

    def encode(self) -> list[bytes]:
        late = b"\x04lateT" + b"\x7f" * 8
        return [b"\x20\x00", len(late).to_bytes(4), late]


def test_what_the_client_library_cannot_read_is_set_aside_by_the_broker(
    bus: RabbitBus, rabbitmq: PrivateBroker
) -> None:
    """Given a message that breaks the connection, then it does so a few times, and no more."""
    bank, partner = bus.endpoint(bus.bank), bus.endpoint(bus.partner)
    with pika.BlockingConnection(pika.URLParameters(rabbitmq.amqp_url)) as connection:
        connection.channel().basic_publish(EXCHANGE, f"x.{partner.name}", b"", Poison())
    outcomes: list[Outcome] = []

    def arrives() -> bool:
        bank.send(parcel(bank.name, partner.name, 1), outcomes.append)
        return partner.receive(0.5) is not None

    assert eventually(lambda: partner.last_error is not None)
    assert eventually(arrives)


def test_a_deleted_queue_is_declared_again(bus: RabbitBus, rabbitmq: PrivateBroker) -> None:
    """Somebody who wipes the broker costs us parcels, which peers repeat, but no restart."""
    bank, partner = bus.endpoint(bus.bank), bus.endpoint(bus.partner)
    with pika.BlockingConnection(pika.URLParameters(rabbitmq.amqp_url)) as connection:
        connection.channel().queue_delete(f"tallystick.{partner.name}")
    assert eventually(lambda: partner.last_error is not None)
    outcomes: list[Outcome] = []

    def arrives() -> bool:
        bank.send(parcel(bank.name, partner.name, 1), outcomes.append)
        return partner.receive(0.2) is not None

    assert eventually(arrives)


def test_a_queue_of_another_make_is_reported_at_once(
    bus: RabbitBus, rabbitmq: PrivateBroker
) -> None:
    bus.endpoint(bus.bank).close()

    with pytest.raises(TopologyError, match=r"x-delivery-limit.*delete it"):
        open_endpoint(settings_for_tests(rabbitmq.amqp_url, delivery_limit=77), bus.bank)


def test_a_wrong_password_is_reported_at_once_and_not_repeated(rabbitmq: PrivateBroker) -> None:
    url = f"amqp://tallystick:s3cret@127.0.0.1:{rabbitmq.port}/tallystick"

    with pytest.raises(LoginRefusedError, match="refuses user 'tallystick'") as refused:
        open_endpoint(url, "bank")

    assert "s3cret" not in messages_of(refused.value)


def test_a_missing_virtual_host_is_reported_at_once(rabbitmq: PrivateBroker) -> None:
    url = rabbitmq.amqp_url.removesuffix("tallystick") + "elsewhere"

    with pytest.raises(VirtualHostError, match=r"'elsewhere'.*does not exist"):
        open_endpoint(url, "bank")


@pytest.mark.parametrize("host", ["127.0.0.1:1", "no-such-host.invalid"])
def test_no_broker_is_reported_after_the_startup_timeout(host: str) -> None:
    url = f"amqp://tallystick:s3cret@{host}/tallystick?startup_timeout=0.5&plaintext=allowed"

    with pytest.raises(BrokerUnreachableError, match="start a broker") as unreachable:
        open_endpoint(url, "bank")

    assert "s3cret" not in messages_of(unreachable.value)


def test_a_server_that_is_no_broker_is_reported(rabbitmq: PrivateBroker) -> None:
    """Something that accepts the connection and never answers in AMQP."""
    url = f"amqp://u:p@127.0.0.1:{rabbitmq.management_port}/?startup_timeout=0.5"

    with pytest.raises(BrokerUnreachableError, match="no RabbitMQ answered"):
        open_endpoint(url, "bank")


def test_tls_with_certificates_on_both_sides(bus: RabbitBus, rabbitmq: PrivateBroker) -> None:
    client = rabbitmq.authority.issue("client")
    url = rabbitmq.tls_url_of("tallystick", rabbitmq.authority.file, client)
    bank, partner = open_endpoint(settings_for_tests(url), bus.bank), bus.endpoint(bus.partner)

    bank.send(parcel(bank.name, partner.name, 1), lambda _outcome: None)

    assert receive_numbers(partner, {1}) == {1}
    bank.close()


def test_certificates_that_do_not_fit_are_reported(rabbitmq: PrivateBroker, tmp_path: Path) -> None:
    ours, rogue = rabbitmq.authority, Authority(tmp_path / "rogue")
    missing = tmp_path / "missing.pem"
    urls = {
        "broker of an unknown authority": rabbitmq.tls_url_of("tallystick", rogue.file),
        "no client certificate": rabbitmq.tls_url_of("tallystick", ours.file),
        "rogue client": rabbitmq.tls_url_of("tallystick", ours.file, rogue.issue("client")),
        "no such file": rabbitmq.tls_url_of("tallystick", missing),
        "TLS to a port without": rabbitmq.amqp_url.replace("amqp:", "amqps:"),
    }
    errors: dict[str, BrokerError] = {}
    for case, url in urls.items():
        with pytest.raises(BrokerError) as raised:
            open_endpoint(url, "bank")
        errors[case] = raised.value

    assert {case: type(error) for case, error in errors.items()} == dict.fromkeys(
        urls, BrokerTlsError
    )
    assert str(missing) in str(errors["no such file"])


def test_plain_amqp_to_a_tls_port_is_reported(rabbitmq: PrivateBroker) -> None:
    url = f"amqp://u:p@127.0.0.1:{rabbitmq.tls_port}/?startup_timeout=0.5"

    with pytest.raises(BrokerUnreachableError, match="amqps://"):
        open_endpoint(url, "bank")
