"""What the board says of a party's health, from signs that the party leaves (D2, D4)."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from events.envelope import format_time
from party.pulse import BrokerPulse, Pulse, PumpPulse
from store.entry import Undelivered
from tallystick.board.attention import delays, trouble
from tallystick.board.board_pages import ago
from tallystick.board.health import Disk
from tallystick.board.processes import (
    CONNECTED,
    Part,
    Process,
    broker_of,
    holder_of,
    part_of,
)

RUNS, GONE, UNKNOWN = Process("runs", 7), Process("does not run"), Process("not known")
WELL = PumpPulse(name="receive", alive=True, failing=False, failures=0)
FAILING = PumpPulse(
    name="publish", alive=True, failing=True, failures=3, last_failure="the disk is full"
)


def pulse(seconds_ago: float = 0, broker: BrokerPulse | None = None, *pumps: PumpPulse) -> Pulse:
    written = format_time(datetime.now(UTC) - timedelta(seconds=seconds_ago))
    return Pulse(process="link", pid=9, since=written, written=written, pumps=pumps, broker=broker)


def test_a_running_party_tells_since_when_and_what_fails() -> None:
    told = part_of(RUNS, pulse(1, None, WELL, FAILING))
    assert (told.state, told.pid, told.failing) == ("runs", 7, (FAILING,))
    assert told.since
    assert list(trouble(told, part_of(RUNS, None), CONNECTED, 0)) == [
        "publish fails: the disk is full"
    ]


def test_the_last_words_of_a_party_that_is_gone_say_nothing_of_now() -> None:
    for process in (GONE, UNKNOWN):
        assert part_of(process, pulse(60, None, FAILING)) == Part(process)
    assert part_of(GONE, pulse(1, None, FAILING)) == Part(GONE)
    assert broker_of(pulse(60, BrokerPulse(connected=False))) == ""


def test_where_the_kernel_tells_no_locks_a_fresh_pulse_tells_that_it_runs() -> None:
    told = part_of(UNKNOWN, pulse(1, None, WELL))
    assert (told.state, told.pid) == ("runs", 9)


@pytest.mark.parametrize(
    ("broker", "words"),
    [
        (BrokerPulse(connected=True), CONNECTED),
        (BrokerPulse(connected=True, blocked="low on memory"), "takes nothing: low on memory"),
        (BrokerPulse(connected=False, last_error="refused"), "not connected: refused"),
        (BrokerPulse(connected=False), "not connected"),
    ],
)
def test_the_broker_is_told_and_asks_for_attention_unless_it_is_well(
    broker: BrokerPulse, words: str
) -> None:
    told = broker_of(pulse(1, broker))
    assert words in told
    warned = list(trouble(Part(RUNS), Part(RUNS), told, 0))
    assert bool(warned) is (told != CONNECTED)


def test_a_party_that_does_not_run_needs_attention_only_when_something_waits_for_it() -> None:
    assert list(trouble(Part(GONE), Part(GONE), "", 0)) == []
    (warned,) = trouble(Part(GONE), Part(GONE), "", 2)
    assert "2 trainings are under way" in warned


def test_new_events_on_their_way_are_no_reason_to_look_and_stuck_ones_are() -> None:
    new = Undelivered("partner", "pending", "", 3, 10)
    stuck = Undelivered("partner", "pending", "has no queue", 3, 10)
    parked = Undelivered("partner", "parked", "has no queue", 1, 4)
    assert list(delays((new,), ())) == []
    assert list(delays((stuck, parked), (("bank", "spring", 2),))) == [
        "3 events for partner: has no queue",
        "1 event for partner given up: has no queue",
        "2 events of bank in spring wait for the one before them",
    ]


@pytest.mark.parametrize(
    ("free", "total", "full"),
    [(1 << 40, 1 << 41, False), (1 << 29, 1 << 30, True), (1 << 34, 1 << 40, True)],
)
def test_a_disk_is_full_by_bytes_or_by_share(free: int, total: int, full: bool) -> None:
    assert Disk((), free, total).is_full is full


@pytest.mark.parametrize(
    ("lines", "state", "pid"),
    [
        ("1: FLOCK  ADVISORY  WRITE 42 {place} 0 EOF", "runs", 42),
        ("1: FLOCK  ADVISORY  WRITE -1 {place} 0 EOF", "runs", None),
        ("1: -> FLOCK  ADVISORY  WRITE 42 {place} 0 EOF", "does not run", None),
        ("1: POSIX  ADVISORY  WRITE 42 {place} 0 EOF", "does not run", None),
        ("1: FLOCK  ADVISORY  WRITE 42 00:00:1 0 EOF", "does not run", None),
        ("", "does not run", None),
    ],
)
def test_the_kernels_table_of_locks_is_read(
    lines: str, state: str, pid: int | None, tmp_path: Path
) -> None:
    lock, table = tmp_path / "party.lock", tmp_path / "locks"
    lock.touch()
    found = lock.stat()
    place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    table.write_text(lines.format(place=place))
    assert holder_of(lock, table) == Process(state, pid)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "just now"), (-5, "just now"), (59, "59 s ago"), (119, "119 s ago"), (120, "2 min ago")],
)
def test_times_are_told_from_now(seconds: int, words: str) -> None:
    now = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert ago(format_time(now - timedelta(seconds=seconds)), format_time(now)) == words
    assert ago("", format_time(now)) == ""
