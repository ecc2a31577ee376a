"""A party at work: never twice, link and reactor apart, restarted when the reactor dies."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bus.memory import MemoryBroker
from events.vocabulary import Role
from party.creating import create_party
from party.errors import AlreadyRunningError, SettingsError
from party.lock import running_alone
from party.opening import Party, open_party
from party.running import RunningParty, run_party, startup_notes
from party.settings import read_settings
from tests.party.federation import Node, events, request, toy_decide, until


@contextmanager
def running_apart(party: Party, broker: MemoryBroker) -> Iterator[None]:
    """`run_party` with its link on a thread of this process."""
    stopping = threading.Event()
    thread = threading.Thread(
        target=run_party,
        args=(party.folder.path,),
        kwargs={
            "endpoint": broker.endpoint(party.name),
            "decide": toy_decide,
            "stopping": stopping,
        },
    )
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def children() -> set[int]:
    listed = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return {int(number) for path in listed for number in path.read_text().split()}


def test_a_party_does_not_run_twice(parties: dict[str, Party]) -> None:
    broker = MemoryBroker()
    bank = parties["bank"]
    second = RunningParty(bank, broker.endpoint("bank"), toy_decide)
    with RunningParty(bank, broker.endpoint("bank"), toy_decide):
        with pytest.raises(AlreadyRunningError, match="is running already"):
            second.__enter__()
        with pytest.raises(AlreadyRunningError):
            run_party(bank.folder.path, endpoint=broker.endpoint("bank"))
    with second:
        pass


def test_a_lock_goes_with_the_process_that_held_it(tmp_path: Path) -> None:
    script = (
        "import sys, time, pathlib\n"
        "from party.lock import running_alone\n"
        "with running_alone(pathlib.Path(sys.argv[1])):\n"
        "    print('locked', flush=True)\n"
        "    time.sleep(60)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", script, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(AlreadyRunningError), running_alone(tmp_path / "lock"):
            pass
        other.kill()
    with running_alone(tmp_path / "lock", patience=5):
        pass


def test_the_reactor_works_in_a_process_of_its_own_and_comes_back_when_killed(
    parties: dict[str, Party],
) -> None:
    broker = MemoryBroker()
    bank, partner = Node(parties["bank"], broker), parties["partner"]
    before = children()
    with running_apart(partner, broker):
        request(bank.party, job="one")
        bank.publish()
        until(lambda: ("partner", "TrainingAccepted") in events(partner), 30)
        reactors = [
            number
            for number in children() - before
            if b"spawn_main" in Path(f"/proc/{number}/cmdline").read_bytes()
        ]
        assert len(reactors) == 1
        os.kill(reactors[0], signal.SIGKILL)
        request(bank.party, job="two")
        bank.publish()
        until(lambda: len(partner.log.stream("partner", "two")) == 1, 30)
    assert len(partner.log.stream("partner", "one")) == 1
    assert not any(
        b"spawn_main" in path.read_bytes()
        for number in children() - before
        if (path := Path(f"/proc/{number}/cmdline")).exists()
    )


def test_the_party_runs_until_the_signal(tmp_path: Path) -> None:
    create_party(tmp_path / "arbiter", Role.ARBITER, "arbiter")
    party = open_party(tmp_path / "arbiter")
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM)).start()
    before = signal.getsignal(signal.SIGTERM)
    run_party(party.folder.path, endpoint=MemoryBroker().endpoint("arbiter"), decide=toy_decide)
    assert signal.getsignal(signal.SIGTERM) is before
    party.close()


def test_a_party_without_a_broker_does_not_start(tmp_path: Path) -> None:
    folder = create_party(tmp_path / "arbiter", Role.ARBITER, "arbiter")
    folder.settings.write_text('name = "arbiter"\nrole = "arbiter"\n')
    with pytest.raises(SettingsError, match="names no broker"):
        run_party(folder.path)
    assert read_settings(folder).broker is None


def test_what_will_be_missing_is_said_at_the_start(
    tmp_path: Path, parties: dict[str, Party]
) -> None:
    create_party(tmp_path / "lonely", Role.LOCAL, "lonely")
    lonely = open_party(tmp_path / "lonely")
    notes = " ".join(startup_notes(lonely))
    assert "no [source]" in notes
    assert "no other party is trusted" in notes
    assert startup_notes(parties["arbiter"]) == []
    lonely.close()
