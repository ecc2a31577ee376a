"""What every log promises, on SQLite and on PostgreSQL (requirement D2)."""

import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError

from events.envelope import Envelope, digest_of
from events.rounds import LossRecorded, RoundCompleted
from store import (
    CursorConflictError,
    EquivocationError,
    Log,
    SequenceConflictError,
    StoreBusyError,
    StoreClosedError,
    StoreError,
    statements,
)
from tests.envelopes import Issuer
from tests.store.writer import EVENTS_EACH, append_three

REPOSITORY = Path(__file__).resolve().parents[2]
LONG_ENOUGH = 60.0  # seconds after which a test that waits has failed


def append(log: Log, envelope: Envelope) -> int:
    with log.transaction() as transaction:
        return transaction.append(envelope, envelope.canonical_bytes())


def fill(log: Log, issuer: Issuer, count: int, job: str = "job-1") -> list[Envelope]:
    envelopes = [issuer.says(RoundCompleted(round=1), job) for _ in range(count)]
    with log.transaction() as transaction:
        for envelope in envelopes:
            transaction.append(envelope, envelope.canonical_bytes())
    return envelopes


def positions(log: Log) -> list[int]:
    return [entry.position for entry in log.read(limit=1_000_000)]


def start_writer(url: str, name: str, transactions: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.store.writer", url, name, str(transactions)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)


def test_events_come_back_in_order_to_the_byte(log: Log) -> None:
    envelopes = fill(log, Issuer("arbiter"), 5)

    entries = log.read()

    assert [entry.position for entry in entries] == [1, 2, 3, 4, 5]
    assert [entry.canonical for entry in entries] == [e.canonical_bytes() for e in envelopes]
    assert [entry.envelope for entry in entries] == envelopes
    assert log.head() == 5


def test_an_empty_log_has_no_head_no_cursor_and_no_entries(log: Log) -> None:
    assert log.head() == 0
    assert log.cursor("reactor") == 0
    assert log.read() == []
    assert log.entry("0" * 64) is None
    assert log.stream_head("arbiter", "job-1") is None


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_of_any_size_make_up_the_whole_log(log: Log, limit: int) -> None:
    fill(log, Issuer("arbiter"), 7)

    pages = []
    after = 0
    while page := log.read(after, limit):
        assert len(page) <= limit
        pages.extend(page)
        after = page[-1].position

    assert pages == log.read()


def test_streams_and_jobs_are_read_apart(log: Log) -> None:
    bank, arbiter = Issuer("bank"), Issuer("arbiter")
    loss = LossRecorded(job="job-1", round=1, measure="loss", value=0.5)
    first = fill(log, arbiter, 2, "job-1")
    other = fill(log, arbiter, 1, "job-2")
    private = bank.says(loss)
    append(log, private)

    assert [entry.envelope for entry in log.stream("arbiter", "job-1")] == first
    assert [entry.envelope for entry in log.stream("bank", "private")] == [private]
    assert [entry.envelope for entry in log.job("job-1")] == [*first, private]
    assert [entry.envelope for entry in log.job("job-2")] == other
    losses = [entry.envelope for entry in log.said_since("bank", "LossRecorded", private.time)]
    assert losses == [private]
    assert log.said_since("bank", "LossRecorded", private.time + "1") == []
    head = log.stream_head("arbiter", "job-1")
    assert head is not None
    assert (head.sequence, head.time) == (1, first[1].time)
    assert head.digest == digest_of(first[1].canonical_bytes())


def test_what_somebody_said_of_a_type_is_read_behind_a_position(log: Log) -> None:
    bank, partner = Issuer("bank"), Issuer("partner")
    said = [append(log, one.says(RoundCompleted(round=1))) for one in (bank, partner, bank, bank)]
    kind = RoundCompleted.type_name()
    assert [one.position for one in log.said_after("bank", kind, said[0])] == [said[2], said[3]]
    assert log.said_after("bank", kind, said[3]) == []
    assert log.said_after("bank", "RoundStarted", 0) == []


def test_the_end_of_a_long_log_is_read_without_its_beginning(tmp_path: Path) -> None:
    """Whatever asks for what came behind a position must not go through all that came before."""
    with closing(Log(f"sqlite:///{tmp_path / 'log.sqlite'}")):
        pass
    with closing(sqlite3.connect(tmp_path / "log.sqlite")) as connection:
        for statement in (statements.ENTRIES_OF_TYPE_AFTER, statements.ENTRIES_AFTER):
            compiled = str(statement.compile(dialect=sqlite.dialect()))
            nothing = [0] * compiled.count("?")
            plan = connection.execute(f"EXPLAIN QUERY PLAN {compiled}", nothing)
            assert "USING INTEGER PRIMARY KEY (rowid>?)" in str(plan.fetchall())


def test_a_rolled_back_transaction_leaves_nothing_and_no_hole(log: Log) -> None:
    issuer = Issuer("arbiter")
    first, lost = issuer.says(RoundCompleted(round=1)), issuer.says(RoundCompleted(round=2))
    append(log, first)

    with suppress(ZeroDivisionError), log.transaction() as transaction:
        assert transaction.append(lost, lost.canonical_bytes(), ["bank"]) == 2
        transaction.move_cursor("reactor", 2)
        transaction.refuse("partner", "signature")
        raise ZeroDivisionError

    assert positions(log) == [1]
    assert log.head() == 1
    assert log.cursor("reactor") == 0
    assert log.pending_deliveries() == []
    assert log.refusals() == []
    assert append(log, lost) == 2


def test_append_cursor_and_deliveries_are_one_step(log: Log) -> None:
    with log.transaction() as transaction:
        append_three(transaction, Issuer("arbiter"))
        assert transaction.head() == EVENTS_EACH
        assert transaction.cursor("arbiter") == EVENTS_EACH

    assert log.cursor("arbiter") == EVENTS_EACH
    assert len(log.pending_deliveries()) == 2 * EVENTS_EACH


def test_appending_the_same_event_again_changes_nothing(log: Log) -> None:
    first, second = fill(log, Issuer("arbiter"), 2)

    assert append(log, first) == 1
    assert append(log, second) == 2
    assert positions(log) == [1, 2]


def test_two_contents_in_one_place_are_equivocation(log: Log) -> None:
    fill(log, Issuer("arbiter"), 1)
    other = Issuer("arbiter").says(RoundCompleted(round=7))

    with pytest.raises(EquivocationError, match="arbiter signed two different RoundCompleted"):
        append(log, other)

    assert positions(log) == [1]


def test_an_event_that_continues_another_history_is_equivocation(log: Log) -> None:
    fill(log, Issuer("arbiter"), 1)
    double = Issuer("arbiter")
    double.says(RoundCompleted(round=7))

    with pytest.raises(EquivocationError, match="another history of stream job-1"):
        append(log, double.says(RoundCompleted(round=8)))


def test_a_skipped_sequence_number_is_refused(log: Log) -> None:
    issuer = Issuer("arbiter")
    fill(log, issuer, 1)
    issuer.says(RoundCompleted(round=2))

    with pytest.raises(SequenceConflictError, match=r"has number 2 .* the next one is 1"):
        append(log, issuer.says(RoundCompleted(round=3)))


def test_a_private_event_is_never_delivered(log: Log) -> None:
    loss = Issuer("bank").says(LossRecorded(job="job-1", round=1, measure="loss", value=0.5))

    with pytest.raises(StoreError, match="private"), log.transaction() as transaction:
        transaction.append(loss, loss.canonical_bytes(), ["partner"])


def test_a_cursor_moves_forward_only_and_not_beyond_the_head(log: Log) -> None:
    fill(log, Issuer("arbiter"), 3)
    with log.transaction() as transaction:
        transaction.move_cursor("reactor", 2)

    for position in (0, 1, 2, 4):
        with pytest.raises(CursorConflictError), log.transaction() as transaction:
            transaction.move_cursor("reactor", position)

    with log.transaction() as transaction:
        transaction.move_cursor("reactor", 3)
        transaction.move_cursor("link", 1)
    assert (log.cursor("reactor"), log.cursor("link")) == (3, 1)


def test_a_log_opened_again_goes_on_where_it_was(log: Log, log_url: str) -> None:
    issuer = Issuer("arbiter")
    fill(log, issuer, 2)
    before = log.read()
    log.close()

    again = Log(log_url)

    assert again.read() == before
    assert append(again, issuer.says(RoundCompleted(round=2))) == 3
    again.close()


def test_a_closed_log_says_so(log: Log) -> None:
    log.close()
    with pytest.raises(StoreClosedError):
        log.head()
    with pytest.raises(StoreClosedError), log.transaction():
        pass


def test_closing_a_log_ends_the_waiting(log: Log) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(log.wait_for_entries, 0, LONG_ENOUGH)
        log.close()
        with pytest.raises(StoreClosedError):
            waiting.result()


def test_transactions_do_not_nest(log: Log) -> None:
    with log.transaction(), pytest.raises(StoreBusyError), log.transaction():
        pass
    assert log.head() == 0


def test_the_database_itself_refuses_to_change_an_event(log: Log, log_url: str) -> None:
    fill(log, Issuer("arbiter"), 2)
    before = log.read()
    engine = create_engine(log_url)

    for statement in ("UPDATE events SET type = 'x'", "DELETE FROM events WHERE position = 2"):
        with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
            connection.execute(text(statement))

    engine.dispose()
    assert log.read() == before


def test_several_openers_make_one_log(log_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        logs = list(pool.map(Log, [log_url] * 4))

    fill(logs[0], Issuer("arbiter"), 1)

    assert [log.head() for log in logs] == [1, 1, 1, 1]
    for log in logs:
        log.close()


def test_threads_write_without_gaps(log: Log) -> None:
    def write(name: str) -> None:
        issuer = Issuer(name)
        for _ in range(10):
            with log.transaction() as transaction:
                append_three(transaction, issuer)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, ["one", "two", "three", "four"]))

    assert positions(log) == list(range(1, 4 * 10 * EVENTS_EACH + 1))


def test_processes_write_without_gaps_and_a_reader_misses_nothing(log: Log, log_url: str) -> None:
    transactions = 20
    expected = 2 * transactions * EVENTS_EACH
    writers = [start_writer(log_url, name, transactions) for name in ("one", "two")]

    seen: list[int] = []
    while len(seen) < expected and log.wait_for_entries(len(seen), LONG_ENOUGH):
        seen.extend(entry.position for entry in log.read(len(seen), limit=5))

    assert [writer.wait(LONG_ENOUGH) for writer in writers] == [0, 0]
    for writer in writers:
        writer.communicate()
    assert seen == list(range(1, expected + 1))


def test_a_killed_writer_leaves_whole_transactions_only(log: Log, log_url: str) -> None:
    writer = start_writer(log_url, "arbiter", transactions=0)
    assert writer.stdout is not None
    said = [writer.stdout.readline() for _ in range(5)]
    writer.kill()
    writer.communicate()

    head = log.head()
    assert said == ["1\n", "2\n", "3\n", "4\n", "5\n"]
    assert head >= 5 * EVENTS_EACH
    assert head % EVENTS_EACH == 0
    assert log.cursor("arbiter") == head
    assert positions(log) == list(range(1, head + 1))
    assert len(log.pending_deliveries(limit=1_000_000)) == 2 * head
    for earlier, later in pairwise(log.stream("arbiter", "job-1")):
        assert later.envelope.previous == digest_of(earlier.canonical)
    assert append(log, Issuer("bank").says(RoundCompleted(round=1))) == head + 1


def test_waiting_ends_when_another_thread_appends(log: Log) -> None:
    issuer = Issuer("arbiter")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(log.wait_for_entries, 0, LONG_ENOUGH)
        fill(log, issuer, 1)
        assert waiting.result()


def test_waiting_ends_when_another_opener_appends(log: Log, log_url: str) -> None:
    begun = threading.Event()

    def wait() -> bool:
        begun.set()
        return log.wait_for_entries(0, LONG_ENOUGH)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        begun.wait()
        other = Log(log_url)
        fill(other, Issuer("arbiter"), 1)
        other.close()
        assert waiting.result()


def test_waiting_in_vain_says_so(log: Log) -> None:
    fill(log, Issuer("arbiter"), 1)
    assert log.wait_for_entries(0, timeout=0)
    assert not log.wait_for_entries(1, timeout=0.05)
