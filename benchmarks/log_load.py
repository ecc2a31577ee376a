"""What a log can carry: events appended, sent through RabbitMQ, verified and replayed a second.

python -m benchmarks.log_load --help; `pip install 'eventsourcing[postgres]'` puts the recorders of
pyeventsourcing beside our log, with the same bytes, in the same run. Every commit is on the disk
when it returns, and every message is confirmed by the broker and acknowledged by its reader.
"""

import argparse
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import make_url

from audit.replay import replay
from audit.verification import verify
from benchmarks.made_up_log import Writer, stored_copy
from bus import Endpoint, Outcome, Parcel, open_endpoint
from store.entry import Entry
from store.log import Log
from tallystick.terminal import show_table
from tests.brokers import private_broker
from tests.databases import private_postgres
from tests.store.conftest import fresh_postgres_log

MANY = 100
RECEIVE_SECONDS = 30
Append = Callable[[Sequence[Entry]], object]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("--events", type=int, default=5_000)
    chosen = options.parse_args()
    writer = Writer().fill(chosen.events)
    entries, rows = writer.entries, []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="log-load-")))
        postgres = stack.enter_context(private_postgres())
        for name, opened in ways(folder, postgres).items():
            for size in (1, MANY):
                speed = len(entries) / appending(opened(), entries, size)
                rows.append((f"appended, {name}", f"{size} a commit", f"{speed:,.0f}"))
        url = f"sqlite:///{folder}/whole.sqlite"
        writer.store(url)
        copy = stored_copy(url, writer.cards)
        broker = stack.enter_context(private_broker())
        speed = carried(entries, broker.amqp_url)
        rows.append(("through RabbitMQ", "confirmed", f"{speed:,.0f}"))
        for what, work in (
            ("verified", lambda: verify(copy)),
            ("replayed", lambda: replay(copy, folder / "views.sqlite")),
        ):
            rows.append((what, "one core", f"{len(entries) / seconds(work):,.0f}"))
    show_table(("events", "how", "a second"), rows, right="a second")


def ways(folder: Path, postgres: str) -> dict[str, Callable[[], Append]]:
    """Each opens a database of its own, and gives what appends some events in one commit."""
    names = (f"sqlite:///{folder}/{uuid.uuid4()}.sqlite" for _ in iter(int, 1))
    opened: dict[str, Callable[[], Append]] = {
        "SQLite": lambda: own(Log(next(names))),
        "PostgreSQL": lambda: own(Log(fresh_postgres_log(postgres))),
    }
    if find_spec("eventsourcing"):
        opened["SQLite, eventsourcing"] = lambda: recorder_in_sqlite(next(names))
        opened["PostgreSQL, eventsourcing"] = lambda: recorder_in_postgresql(
            fresh_postgres_log(postgres)
        )
    return dict(sorted(opened.items()))


def own(log: Log) -> Append:
    def append(entries: Sequence[Entry]) -> None:
        with log.transaction() as transaction:
            for entry in entries:
                transaction.append(entry.envelope, entry.canonical, ("partner", "arbiter"))

    return append


def recorder_in_sqlite(url: str) -> Append:
    module = import_module("eventsourcing.sqlite")
    datastore = module.SQLiteDatastore(str(make_url(url).database))
    return recorder(module.SQLiteApplicationRecorder(datastore))


def recorder_in_postgresql(url: str) -> Append:
    module, address = import_module("eventsourcing.postgres"), make_url(url)
    datastore = module.PostgresDatastore(
        address.database,
        str(address.query["host"]),
        "5432",
        address.username,
        "",
        schema=str(address.query["options"]).rpartition("=")[2],
    )
    return recorder(module.PostgresApplicationRecorder(datastore))


def recorder(one: Any) -> Append:  # noqa: ANN401 - another project's class
    one.create_table()
    stored = import_module("eventsourcing.persistence").StoredEvent

    def append(entries: Sequence[Entry]) -> None:
        one.insert_events([stored_event(stored, entry) for entry in entries])

    return append


def stored_event(stored: Callable[..., object], entry: Entry) -> object:
    envelope = entry.envelope
    stream = uuid.uuid5(uuid.NAMESPACE_URL, f"{envelope.source}/{envelope.stream}")
    return stored(stream, envelope.sequence, envelope.type, entry.canonical)


def appending(append: Append, entries: Sequence[Entry], size: int) -> float:
    return seconds(lambda: [append(some) for some in batches(entries, size)])


def batches(entries: Sequence[Entry], size: int) -> Iterator[list[Entry]]:
    left = iter(entries)
    while some := list(islice(left, size)):
        yield some


def carried(entries: Sequence[Entry], url: str) -> float:
    """Events a second, from the first sent to the last confirmed and acknowledged."""
    bank, partner = open_endpoint(url, "bank"), open_endpoint(url, "partner")
    try:
        began = time.perf_counter()
        carry(bank, partner, entries)
        return len(entries) / (time.perf_counter() - began)
    finally:
        bank.close()
        partner.close()


def carry(bank: Endpoint, partner: Endpoint, entries: Sequence[Entry]) -> list[bytes]:
    """What arrived. Sending has a thread of its own, as in a party."""
    settled: SimpleQueue[Outcome] = SimpleQueue()

    def send() -> None:
        for entry in entries:
            bank.send(Parcel("bank", "partner", "envelope", {}, entry.canonical), settled.put)

    sending = threading.Thread(target=send, daemon=True)
    sending.start()
    arrived = []
    for _ in entries:
        delivery = partner.receive(RECEIVE_SECONDS)
        if delivery is None or settled.get(timeout=RECEIVE_SECONDS) is not Outcome.CONFIRMED:
            raise SystemExit("an event was lost on its way")
        delivery.acknowledge()
        arrived.append(delivery.parcel.body)
    sending.join()
    return arrived


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
