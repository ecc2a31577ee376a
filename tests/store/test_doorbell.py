"""Processes of one party wake each other: nobody has to look at the log often."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from store import Log
from tests.envelopes import Issuer
from tests.store.writer import append_three

NEVER = 3_600.0


@pytest.fixture
def bells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for bells, where nobody looks at the log unless a bell rings."""
    monkeypatch.setattr("store.log.POLL_SECONDS", NEVER)
    return tmp_path / "bells"


@pytest.fixture
def logs(log_url: str, bells: Path) -> Iterator[tuple[Log, Log]]:
    """The same log, opened twice: neither sees the other but through the database and the bells."""
    first, second = Log(log_url, bells), Log(log_url, bells)
    yield first, second
    first.close()
    second.close()


def hung_up(bells: Path) -> list[str]:
    return [bell.name for bell in bells.iterdir()] if bells.exists() else []


def waiting_for_entries(log: Log, heard: list[bool]) -> threading.Thread:
    thread = threading.Thread(target=lambda: heard.append(log.wait_for_entries(0, 60)))
    thread.start()
    return thread


def append(log: Log) -> None:
    with log.transaction() as transaction:
        append_three(transaction, Issuer("bank"))


def test_an_append_wakes_who_waits_elsewhere(logs: tuple[Log, Log], bells: Path) -> None:
    heard: list[bool] = []
    thread = waiting_for_entries(logs[1], heard)
    while not hung_up(bells):
        thread.join(0.001)
    thread.join(0.1)  # it has looked at the empty log, and will not look again by itself
    append(logs[0])
    thread.join(30)
    assert heard == [True]


def test_a_log_that_is_closed_takes_its_bell_down(logs: tuple[Log, Log], bells: Path) -> None:
    assert logs[1].wait_for_entries(0, 0) is False
    assert len(hung_up(bells)) == 1
    logs[1].close()
    give_up = time.monotonic() + 30
    while hung_up(bells) and time.monotonic() < give_up:
        time.sleep(0.001)
    assert hung_up(bells) == []


def test_a_bell_whose_process_is_gone_is_taken_down(logs: tuple[Log, Log], bells: Path) -> None:
    bells.mkdir()
    os.mkfifo(bells / "1-0")
    append(logs[0])
    assert hung_up(bells) == []


def test_without_a_place_for_bells_appending_goes_on(log_url: str, tmp_path: Path) -> None:
    (tmp_path / "bells").write_text("a file lies there")
    log = Log(log_url, tmp_path / "bells")
    append(log)
    assert log.wait_for_entries(0, 10)
    log.close()
