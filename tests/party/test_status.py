"""How a party stands, seen from outside while it runs and when it does not."""

import threading
from pathlib import Path

import pytest

from bus.memory import MemoryBroker
from party.opening import Party
from party.pulse import LINK, REACTOR, Heart, pulse_file, read_pulses
from party.pump import Pump
from party.running import run_party
from party.status import last_errors, party_status
from store.errors import StoreFullError
from tests.party.federation import Node, request, toy_decide, until


def test_before_anything_ran_every_pump_has_everything_to_do(parties: dict[str, Party]) -> None:
    bank = parties["bank"]
    request(bank)
    status = party_status(bank)
    assert not status.running
    assert (status.since, status.broker) == (None, None)
    lags = {pump.name: (pump.position, pump.lag) for pump in status.pumps}
    assert lags["react"] == (0, status.log_head)
    assert lags["publish"] == (status.log_head - 1, 2)  # an event for partner and arbiter
    assert [(one.recipient, one.state, one.events) for one in status.undelivered] == [
        ("arbiter", "waits", 1),
        ("partner", "waits", 1),
    ]


def test_lags_shrink_as_pumps_work(parties: dict[str, Party]) -> None:
    broker = MemoryBroker()
    bank, *others = (Node(parties[name], broker) for name in ("bank", "partner", "arbiter"))
    request(bank.party)
    for node in others:
        node.endpoint.receive(0)  # has a queue
    bank.publish()
    bank.react()
    bank.reactor.step(0)  # idle: it saves how far it is
    status = party_status(bank.party)
    assert {pump.name: pump.lag for pump in status.pumps if pump.name != "project"} == {
        "react": 0,
        "publish": 0,
    }
    assert status.undelivered == ()


def test_a_running_party_tells_since_when_and_how_its_broker_is(
    parties: dict[str, Party],
) -> None:
    """Given a party at work, then status names both processes' state without disturbing them."""
    arbiter, stopping = parties["arbiter"], threading.Event()
    arguments = {
        "endpoint": MemoryBroker().endpoint("arbiter"),
        "decide": toy_decide,
        "stopping": stopping,
    }
    thread = threading.Thread(target=run_party, args=(arbiter.folder.path,), kwargs=arguments)
    thread.start()
    until(lambda: len(read_pulses(arbiter.folder)) == 2, 30)
    status = party_status(arbiter)
    link, reactor = read_pulses(arbiter.folder)
    stopping.set()
    thread.join()

    assert status.running
    assert status.since == min(link.since, reactor.since)
    assert status.broker is not None
    assert status.broker.connected
    assert {pump.name for pump in link.pumps} == {
        "publish",
        "receive",
        "heads",
        "react: express",
    }
    assert {pump.name for pump in reactor.pumps} == {
        "react",
        "project",
        "deadlines",
        "checkpoints",
        "settle",
    }
    assert all(pump.alive and not pump.failing for pump in (*link.pumps, *reactor.pumps))
    assert link.pid != reactor.pid
    assert not party_status(arbiter).running
    assert party_status(arbiter).since is None


def test_a_failing_pump_is_shown_until_it_works_again(parties: dict[str, Party]) -> None:
    is_full = threading.Event()
    is_full.set()

    def step() -> None:
        if is_full.is_set():
            raise StoreFullError("no space is left")

    pump = Pump("publish", step, pause=0.01)
    heart = Heart(parties["bank"].folder, LINK, [pump])
    pump.start()
    until(lambda: pump.failures > 0)
    heart.beat()
    (failing,) = last_errors(read_pulses(parties["bank"].folder))
    is_full.clear()
    until(lambda: not pump.failing)
    heart.beat()
    (failed,) = last_errors(read_pulses(parties["bank"].folder))
    pump.stop()

    assert (failing.where, failing.what, failing.is_over) == ("publish", "no space is left", False)
    assert failed == failing.model_copy(update={"is_over": True, "time": failed.time})


@pytest.mark.parametrize("content", [b"", b"{", b'{"process": 1}'])
def test_a_damaged_sign_of_life_is_none(parties: dict[str, Party], content: bytes) -> None:
    folder = parties["bank"].folder
    folder.pulses.mkdir()
    pulse_file(folder, REACTOR).write_bytes(content)
    assert read_pulses(folder) == ()


def test_a_sign_of_life_that_cannot_be_written_stops_nothing(
    parties: dict[str, Party], tmp_path: Path
) -> None:
    folder = parties["bank"].folder
    folder.pulses.write_text("a file where the folder would be")
    Heart(folder, LINK, []).beat()
    assert read_pulses(folder) == ()
