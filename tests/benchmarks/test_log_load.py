"""The log that benchmarks are run on holds, and what they append is all there."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from audit.replay import replay
from audit.verification import verify
from benchmarks.log_load import appending, carry, own
from benchmarks.made_up_log import Writer, stored_copy
from bus import open_endpoint
from store.log import Log
from tests.brokers import PrivateBroker
from tests.store.conftest import fresh_postgres_log


@pytest.fixture(scope="module")
def writer() -> Writer:
    return Writer().fill(150)


def test_the_made_up_log_holds_from_memory_and_from_a_database(
    writer: Writer, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/log.sqlite"
    writer.store(url)
    stored = stored_copy(url, writer.cards)
    for copy in (writer.copy(), stored):
        result = verify(copy)
        assert result.holds
        assert result.events == len(writer.entries)
    assert replay(stored, tmp_path / "views.sqlite").position == len(writer.entries)


@pytest.mark.parametrize("size", [1, 7])
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_every_event_is_appended(
    writer: Writer, size: int, database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/log.sqlite"
    if database == "postgresql":
        url = fresh_postgres_log(request.getfixturevalue("postgres_url"))
    log = Log(url)
    assert appending(own(log), writer.entries, size) > 0
    assert [one.canonical for one in log.read()] == [one.canonical for one in writer.entries]
    assert len(log.pending_deliveries(1000)) == 2 * len(writer.entries)
    log.close()


def test_a_commit_of_many_events_takes_no_more_statements_than_one_of_few(
    writer: Writer, postgres_url: str
) -> None:
    """Given a server, whose every answer takes its time: the rows go to it together (D2)."""
    counts = []
    for size in (10, len(writer.entries)):
        log, statements = Log(fresh_postgres_log(postgres_url)), 0

        def count(*_: object) -> None:
            nonlocal statements
            statements += 1

        event.listen(Engine, "before_cursor_execute", count)
        own(log)(writer.entries[:size])
        event.remove(Engine, "before_cursor_execute", count)
        log.close()
        counts.append(statements)
    streams = {(one.envelope.source, one.envelope.stream) for one in writer.entries}
    assert counts[1] <= counts[0] + len(streams)


def test_what_is_carried_arrives_once_and_in_order(writer: Writer, rabbitmq: PrivateBroker) -> None:
    bank, partner = (
        open_endpoint(rabbitmq.amqp_url, "bank"),
        open_endpoint(rabbitmq.amqp_url, "partner"),
    )
    try:
        assert carry(bank, partner, writer.entries) == [one.canonical for one in writer.entries]
    finally:
        bank.close()
        partner.close()
