"""A curious or hostile party against RabbitMQ's own permissions (issue: nobody let in).

Every attack is tried with pika itself, not through our bus, which would not even try.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker

from bus import Outcome, Parcel, open_endpoint
from bus.definitions import Limits, federation_definitions
from bus.errors import BrokerUnreachableError, DefinitionsError, LoginRefusedError, ParcelError
from tests.brokers import PrivateBroker, private_broker
from tests.bus.buses import eventually

PASSWORDS = {"bank": "b" * 32, "partner": "p" * 32, "auditor": "a" * 32, "guarded": None}
REFUSED = 403
WRONG_NAME = 406
LIMITS = Limits(connections=4)

Attack = Callable[[BlockingChannel], object]


@pytest.fixture(scope="module")
def broker() -> Iterator[PrivateBroker]:
    """A broker that has nothing but what the definitions of this federation say."""
    with private_broker(definitions=federation_definitions(PASSWORDS, LIMITS)) as broker:
        yield broker


def url(broker: PrivateBroker, party: str) -> str:
    return f"amqp://{party}:{PASSWORDS[party]}@127.0.0.1:{broker.port}/tallystick"


@contextmanager
def channel_of(broker: PrivateBroker, party: str) -> Iterator[BlockingChannel]:
    with pika.BlockingConnection(pika.URLParameters(url(broker, party))) as connection:
        yield connection.channel()


def publish(key: str, exchange: str = "tallystick", **properties: str) -> Attack:
    """With confirms, so that a refusal is seen at once."""

    def attack(channel: BlockingChannel) -> None:
        channel.confirm_delivery()
        channel.basic_publish(exchange, key, b"", pika.BasicProperties(**properties))

    return attack


def send_and_receive(broker: PrivateBroker, sender: str, recipient: str) -> None:
    outcomes: list[Outcome] = []
    ours, theirs = (open_endpoint(url(broker, name), name) for name in (sender, recipient))
    ours.send(Parcel(sender, recipient, "envelope", {"number": 1}, b"body"), outcomes.append)
    delivery = theirs.receive(20)
    assert delivery is not None
    delivery.acknowledge()
    assert eventually(lambda: outcomes == [Outcome.CONFIRMED])
    ours.close()
    theirs.close()


ATTACKS: Mapping[str, Attack] = {
    "publish as another": publish("partner.auditor"),
    "publish as another, to oneself": publish("partner.bank"),
    "publish as a longer name": publish("bank2.partner"),
    "publish as nobody": publish(".partner"),
    "publish under a deeper key": publish("bank.partner.dead"),
    "publish straight into a queue": publish("tallystick.partner", exchange=""),
    "publish through the broker's own exchange": publish("bank.partner", exchange="amq.topic"),
    "put a dead letter in another's name": publish("partner", exchange="tallystick.dead"),
    "read another's queue": lambda channel: channel.basic_get("tallystick.partner"),
    "read the auditor's queue": lambda channel: channel.basic_get("tallystick.auditor"),
    "consume another's queue": lambda channel: channel.basic_consume("tallystick.partner", print),
    "consume the auditor's queue": lambda channel: channel.basic_consume(
        "tallystick.auditor", print
    ),
    "read another's dead letters": lambda channel: channel.basic_get("tallystick.partner.dead"),
    "purge another's queue": lambda channel: channel.queue_purge("tallystick.partner"),
    "delete another's queue": lambda channel: channel.queue_delete("tallystick.partner"),
    "delete one's own queue": lambda channel: channel.queue_delete("tallystick.bank"),
    "declare a queue": lambda channel: channel.queue_declare("tallystick.bank.more"),
    "declare a queue of the broker's naming": lambda channel: channel.queue_declare(""),
    "declare a queue for a party to come": lambda channel: channel.queue_declare(
        "tallystick.newcomer", durable=True
    ),
    "declare an exchange": lambda channel: channel.exchange_declare("tallystick.bank", "fanout"),
    "delete an exchange": lambda channel: channel.exchange_delete("tallystick"),
    "bind one's queue to another's messages": lambda channel: channel.queue_bind(
        "tallystick.bank", "tallystick", "*.partner"
    ),
    "bind one's queue to all messages": lambda channel: channel.queue_bind(
        "tallystick.bank", "tallystick", "#"
    ),
    "bind another's queue to one's own name": lambda channel: channel.queue_bind(
        "tallystick.partner", "tallystick", "*.bank"
    ),
    "unbind another's queue": lambda channel: channel.queue_unbind(
        "tallystick.partner", "tallystick", "*.partner"
    ),
    "bind exchanges to each other": lambda channel: channel.exchange_bind(
        "tallystick.dead", "tallystick", "#"
    ),
    "listen to the broker's log": lambda channel: channel.queue_bind(
        "tallystick.bank", "amq.rabbitmq.log", "#"
    ),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=list(ATTACKS))
def test_a_party_cannot(broker: PrivateBroker, attack: Attack) -> None:
    with channel_of(broker, "bank") as channel:
        with pytest.raises(ChannelClosedByBroker) as refused:
            attack(channel)
        assert refused.value.reply_code == REFUSED, refused.value


def test_a_party_cannot_sign_a_message_as_another_user(broker: PrivateBroker) -> None:
    with channel_of(broker, "bank") as channel:
        with pytest.raises(ChannelClosedByBroker) as refused:
            publish("bank.partner", user_id="partner")(channel)
        assert refused.value.reply_code == WRONG_NAME


def test_after_all_attacks_the_parties_still_talk(broker: PrivateBroker) -> None:
    send_and_receive(broker, "bank", "partner")
    send_and_receive(broker, "partner", "bank")
    send_and_receive(broker, "bank", "auditor")


def test_a_party_may_set_aside_what_it_cannot_read_and_read_it_later(broker: PrivateBroker) -> None:
    endpoint = open_endpoint(url(broker, "partner"), "partner")
    bank = open_endpoint(url(broker, "bank"), "bank")
    bank.send(Parcel("bank", "partner", "envelope", {}, b"?"), lambda _outcome: None)
    delivery = endpoint.receive(20)
    assert delivery is not None
    delivery.reject("not an envelope")
    with channel_of(broker, "partner") as channel:
        assert eventually(lambda: channel.basic_get("tallystick.partner.dead", True)[0] is not None)
    for one in (bank, endpoint):
        assert one.last_error is None
        one.close()


@pytest.mark.parametrize("path", ["overview", "queues", "definitions", "users", "whoami"])
def test_the_management_interface_is_closed_to_a_party(broker: PrivateBroker, path: str) -> None:
    login = base64.b64encode(f"bank:{PASSWORDS['bank']}".encode()).decode()
    request = Request(f"{broker.management_url}/api/{path}")
    request.add_header("Authorization", f"Basic {login}")

    with pytest.raises(HTTPError) as refused, urlopen(request):
        pass

    refused.value.close()
    assert refused.value.code == 401


@pytest.mark.parametrize("password", ["None", "guarded", "%20"])
def test_no_password_fits_a_party_that_logs_in_by_certificate(
    broker: PrivateBroker, password: str
) -> None:
    address = f"amqp://guarded:{password}@127.0.0.1:{broker.port}/tallystick"
    with pytest.raises(LoginRefusedError):
        open_endpoint(address, "guarded")


def test_a_party_takes_no_more_connections_than_its_share(broker: PrivateBroker) -> None:
    """An endpoint takes two: one that sends and one that receives."""
    address = url(broker, "auditor")
    taken = [open_endpoint(address, "auditor") for _ in range(LIMITS.connections // 2)]
    with pytest.raises(BrokerUnreachableError, match="as many connections as it may have"):
        open_endpoint(f"{address}?startup_timeout=0.5", "auditor")
    with channel_of(broker, "bank"):
        pass
    for endpoint in taken:
        endpoint.close()


def test_what_a_party_can_still_see_is_how_many_messages_wait_for_another(
    broker: PrivateBroker,
) -> None:
    """RabbitMQ asks for no permission to look whether a queue exists: see the threat model."""
    with channel_of(broker, "bank") as channel:
        found = channel.queue_declare("tallystick.partner", passive=True)
    assert found.method.message_count >= 0


def test_there_is_no_other_user_than_the_administrators_and_the_parties(
    broker: PrivateBroker,
) -> None:
    listed = broker.control("list_users", "--formatter", "json")
    assert {one["user"] for one in json.loads(listed)} == {broker.user, *PASSWORDS}


@pytest.mark.parametrize(
    ("name", "error"), [("dead", DefinitionsError), ("Bank", ParcelError), ("a.b", ParcelError)]
)
def test_a_name_that_permissions_cannot_hold_apart_is_refused(
    name: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        federation_definitions({"bank": None, name: None})


def test_definitions_hold_no_password(broker: PrivateBroker) -> None:
    text = json.dumps(federation_definitions(PASSWORDS))
    assert all(password not in text for password in PASSWORDS.values() if password)
    assert text == json.dumps(federation_definitions(PASSWORDS))
    users = {user["name"]: user for user in json.loads(text)["users"]}
    assert users["guarded"]["password_hash"] == ""
    assert {user["tags"] for user in users.values()} == {""}
