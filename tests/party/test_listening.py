"""Raw samples from a queue: features at once, in both engines (requirement S6)."""

import datetime as dt
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from sqlglot import exp

from events.catalogue import CATALOGUE
from events.features import FeaturesRefreshed
from events.vocabulary import Role
from party.creating import create_party
from party.listening import EXCHANGE, listen, routing_key, sample_queue
from party.opening import Party, open_party
from party.refreshing import refresh_features
from party.samples import open_samples
from scoring.engines.engine import Engine
from tests.brokers import PrivateBroker

Features = dict[str, tuple[object, ...]]

PRIVATE = "15412345678"
SETTINGS = """
[samples.customer]
table = "customers"
id = "phone"
observed = "seen"
extraction = "customer.sql"
broker = "{broker}"
columns = {{phone = "text", paid = "number", branch = "text", opened = "time", seen = "time"}}
"""
SCRIPT = """
SELECT phone AS sample_id, seen AS observed_at, paid * 2 AS paid_twice, branch, opened
FROM customers
"""


@pytest.fixture
def party(tmp_path: Path, rabbitmq: PrivateBroker) -> Iterator[Party]:
    tables = SETTINGS.format(broker=rabbitmq.amqp_url)
    folder = create_party(tmp_path / "bank", Role.LOCAL, "bank", tables=tables)
    (folder.path / "customer.sql").write_text(SCRIPT, encoding="utf-8")
    with pika.BlockingConnection(pika.URLParameters(rabbitmq.amqp_url)) as connection:
        for queue in (sample_queue("bank", "customer"), sample_queue("bank", "customer") + ".dead"):
            connection.channel().queue_delete(queue)
    with closing(open_party(folder.path)) as opened:
        yield opened


@contextmanager
def listening(party: Party) -> Iterator[None]:
    stopping = threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            listen(party, "customer", stopping)
        except BaseException as failure:  # noqa: BLE001 - told below
            failures.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
        assert not failures


def send(rabbitmq: PrivateBroker, *bodies: object) -> None:
    with pika.BlockingConnection(pika.URLParameters(rabbitmq.amqp_url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for body in bodies:
            text = body if isinstance(body, bytes) else json.dumps(body).encode()
            channel.basic_publish(EXCHANGE, routing_key("bank", "customer"), text, mandatory=True)


def sample(phone: str, paid: float | None, seen: str, **others: object) -> dict[str, object]:
    return {"phone": phone, "paid": paid, "branch": "north", "seen": seen, **others}


def features(engine: Engine) -> Features:
    if engine.columns("features_customer") is None:
        return {}
    names = ("sample_id", "paid_twice", "branch", "opened")
    wanted = [exp.column(name, quoted=True) for name in names]
    rows = engine.rows(exp.select(*wanted).from_("features_customer"))
    return {str(row[0]): tuple(row[1:]) for row in rows}


def eventually(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < give_up, "it did not come"
        time.sleep(0.05)


def wait_for(party: Party, expected: Features) -> None:
    with open_samples(party.settings, party.folder.path) as samples:
        eventually(lambda: features(samples.lookup) == expected)


def events(party: Party) -> list[FeaturesRefreshed]:
    found = [CATALOGUE.read(one.envelope).event for one in party.log.read()]
    return [event for event in found if isinstance(event, FeaturesRefreshed)]


def test_a_sample_becomes_features_in_both_engines(party: Party, rabbitmq: PrivateBroker) -> None:
    """Given a message, then its features can be looked up, and are in the batch engine at the end;
    the log has counts and a digest, and no id.
    """
    with listening(party):
        eventually(lambda: queue_is_there(rabbitmq))
        send(rabbitmq, sample(PRIVATE, 2.5, "2024-03-05T10:00:00", opened="2024-03-01"))
        wait_for(party, {PRIVATE: (5.0, "north", 4.0)})

    with open_samples(party.settings, party.folder.path) as samples:
        assert features(samples.batch) == {PRIVATE: (5.0, "north", 4.0)}
    [event] = events(party)
    assert (event.kind, event.origin, event.rows) == ("customer", "stream", 1)
    assert PRIVATE not in event.model_dump_json()


def test_the_newest_observation_counts_in_whatever_order_they_come(
    party: Party, rabbitmq: PrivateBroker
) -> None:
    with listening(party):
        eventually(lambda: queue_is_there(rabbitmq))
        send(
            rabbitmq,
            sample("1", 1.0, "2024-03-05"),
            sample("1", 3.0, "2024-03-07"),
            sample("1", 2.0, "2024-03-06"),
        )
        wait_for(party, {"1": (6.0, "north", None)})
        send(rabbitmq, sample("1", 9.0, "2024-03-06"), sample("2", None, "2024-03-06"))
        wait_for(party, {"1": (6.0, "north", None), "2": (None, "north", None)})


def test_a_refresh_meanwhile_gives_the_same_features(party: Party, rabbitmq: PrivateBroker) -> None:
    with listening(party):
        eventually(lambda: queue_is_there(rabbitmq))
        send(rabbitmq, sample("1", 1.0, "2024-03-05"), sample("2", 2.0, "2024-03-05"))
        expected: Features = {
            "1": (2.0, "north", None),
            "2": (4.0, "north", None),
        }
        wait_for(party, expected)

        name, done = refresh_features(party, "customer")

        assert (name, done.samples) == ("customer", 2)
        assert done.until == dt.datetime(2024, 3, 5, tzinfo=dt.UTC)
        wait_for(party, expected)


def test_what_is_no_sample_goes_to_the_dead_letters_and_is_counted_only(
    party: Party, rabbitmq: PrivateBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = [
        b"no json",
        [PRIVATE],
        {"paid": 1.0},
        sample(PRIVATE, 1.0, "yesterday"),
        {**sample(PRIVATE, 1.0, "2024-03-05"), PRIVATE: 1},
        {**sample(PRIVATE, 1.0, "2024-03-05"), "paid": "much"},
        {**sample(PRIVATE, 1.0, "2024-03-05"), "branch": 7},
    ]
    with listening(party):
        eventually(lambda: queue_is_there(rabbitmq))
        send(rabbitmq, *bad, sample("1", 1.0, "2024-03-05"))
        wait_for(party, {"1": (2.0, "north", None)})
        dead = sample_queue("bank", "customer") + ".dead"
        eventually(lambda: drained(rabbitmq, dead, len(bad)))

    told = capsys.readouterr()
    assert "samples_refused" in told.out + told.err
    assert PRIVATE not in told.out + told.err


def test_a_deleted_queue_is_declared_again(party: Party, rabbitmq: PrivateBroker) -> None:
    """The broker cancels the consumer and leaves the connection as it is."""
    with listening(party):
        eventually(lambda: queue_is_there(rabbitmq))
        with pika.BlockingConnection(pika.URLParameters(rabbitmq.amqp_url)) as connection:
            connection.channel().queue_delete(sample_queue("bank", "customer"))
        eventually(lambda: queue_is_there(rabbitmq))
        send(rabbitmq, sample("1", 1.0, "2024-03-05"))
        wait_for(party, {"1": (2.0, "north", None)})


def test_what_a_closed_channel_left_unacknowledged_comes_again(
    party: Party, rabbitmq: PrivateBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given an acknowledgement of what never came, for which the broker closes the channel."""
    acknowledge = BlockingChannel.basic_ack
    tags: list[int] = []

    def wrong_at_first(channel: BlockingChannel, tag: int, multiple: bool = False) -> None:
        tags.append(tag)
        acknowledge(channel, tag if len(tags) > 1 else 1000 + tag, multiple)

    monkeypatch.setattr(BlockingChannel, "basic_ack", wrong_at_first)
    with listening(party):
        eventually(lambda: queue_is_there(rabbitmq))
        send(rabbitmq, sample("1", 1.0, "2024-03-05"))
        eventually(lambda: len(tags) > 1)
        send(rabbitmq, sample("2", 2.0, "2024-03-05"))
        wait_for(party, {"1": (2.0, "north", None), "2": (4.0, "north", None)})
        eventually(lambda: len(tags) > 2)
    with pika.BlockingConnection(pika.URLParameters(rabbitmq.amqp_url)) as connection:
        assert (
            connection.channel().queue_purge(sample_queue("bank", "customer")).method.message_count
            == 0
        )


def queue_is_there(rabbitmq: PrivateBroker) -> bool:
    try:
        with pika.BlockingConnection(pika.URLParameters(rabbitmq.amqp_url)) as connection:
            queue = sample_queue("bank", "customer")
            return bool(
                connection.channel().queue_declare(queue, passive=True).method.consumer_count
            )
    except pika.exceptions.ChannelClosedByBroker:
        return False


def drained(rabbitmq: PrivateBroker, queue: str, count: int) -> bool:
    """Whether so many messages were in the queue; they are put back."""
    with pika.BlockingConnection(pika.URLParameters(rabbitmq.amqp_url)) as connection:
        channel = connection.channel()
        found = [channel.basic_get(queue)[0] for _ in range(count)]
        return all(one is not None for one in found)
