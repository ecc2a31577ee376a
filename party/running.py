"""A party running: all of it as threads of one process, or as two processes.

Of two processes one has the link and the express track, the other one all that takes long or may
lag. They share nothing but the log, so hours of computing starve no heartbeat and no request.
"""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Self

import structlog

from bus.endpoint import Endpoint
from bus.inspection import BrokerFacts, inspect_broker
from bus.rabbitmq import open_endpoint
from events.vocabulary import DATA_ROLES, Role
from handlers.reactions import decide
from party.compute import check_compute
from party.errors import LinkError
from party.inner_pumps import InnerPumps
from party.link import Link
from party.lock import running_alone
from party.metrics import serving_metrics
from party.opening import Party, open_party
from party.pulse import LINK, Heart
from party.reactor import Decide, Reactor
from party.reactor_process import LOOK_SECONDS, ReactorProcess
from party.settings import broker_of
from party.stopping import stop_signals
from party.tracks import Track
from party.turns import Turns

STOP_SECONDS = 10.0

log = structlog.get_logger()


class RunningParty:
    """Link and reactor as threads of this process (demo, tests); a context manager.

    Entering raises AlreadyRunningError when the same party runs already.
    """

    def __init__(self, party: Party, endpoint: Endpoint, decide: Decide = decide) -> None:
        self.party = party
        self._link = Link(party, endpoint)
        self._inner = InnerPumps(party, decide)
        self._lock = ExitStack()
        self._leaving = threading.Event()
        self._starting = threading.Thread(target=self._start_inner, daemon=True)

    def __enter__(self) -> Self:
        self._lock.enter_context(running_alone(self.party.folder.lock))
        self._link.start()
        self._starting.start()
        return self

    def _start_inner(self) -> None:
        """Nothing is decided before the others have said how far they hold our own events."""
        while not self._link.heads_agree.wait(LOOK_SECONDS):
            if self._leaving.is_set():
                return
        self._inner.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Finish the steps under way, at most STOP_SECONDS; the party itself stays open."""
        self._leaving.set()
        self._starting.join()
        self._inner.ask_to_stop()
        self._link.stop()
        try:
            self._inner.stop(STOP_SECONDS)
        finally:
            self._lock.close()


class PartyProcesses:
    """Link and express track as threads of this process, the rest in another; a context manager.

    Entering raises AlreadyRunningError when the same party runs already. Until it is left, somebody
    calls `look_after` several times a second.
    """

    def __init__(
        self,
        party: Party,
        endpoint: Endpoint,
        prepare: Callable[[], None] | None = None,
        decide: Decide = decide,
    ) -> None:
        self._party = party
        self._link = Link(party, endpoint)
        self._express = Reactor(party, decide, Track.EXPRESS)
        self._rest = ReactorProcess(party.folder.path, decide, prepare)
        self._pumps = list(self._link.pumps)
        self._heart = Heart(party.folder, LINK, self._pumps, endpoint)
        self._decides = False
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(running_alone(self._party.folder.lock))
            stack.callback(self._express.close)
            self._link.start()
            stack.callback(self._link.stop)
            stack.callback(self._rest.stop)
            stack.callback(self._leave_express)
            self._begin_deciding()
            self._stack = stack.pop_all()
        return self

    def _begin_deciding(self) -> None:
        """Not before the others have said how far they hold our own events."""
        if not self._decides and self._link.heads_agree.is_set():
            self._rest.start()
            self._pumps.append(self._express.join(self._link.turns))
            self._decides = True

    def _leave_express(self) -> None:
        for pump in self._pumps[len(self._link.pumps) :]:
            self._link.turns.remove(pump, STOP_SECONDS)

    @property
    def turns(self) -> Turns:
        """For pumps of this process that a request passes through as well."""
        return self._link.turns

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def look_after(self) -> None:
        """Start the other process again if it died. Raises LinkError: the link has ended."""
        self._begin_deciding()
        self._rest.look_after()
        self._heart.beat_when_due()
        if self._link.ended_with is not None:
            raise self._link.ended_with
        if not self._link.alive:
            name = self._party.name
            raise LinkError(f"the link of {name} ended by itself: its output says why")


def run_party(
    path: Path,
    *,
    prepare: Callable[[], None] | None = None,
    endpoint: Endpoint | None = None,
    decide: Decide = decide,
    stopping: threading.Event | None = None,
    metrics: str | None = None,
) -> None:
    """Run the party in two processes until SIGINT or SIGTERM.

    `prepare` (an importable function) runs first in the other process, to set up its output.
    `metrics` is the HOST:PORT where Prometheus may ask.
    Raises PartyError, StoreError and BusError where the party cannot start.
    """
    with ExitStack() as stack:
        party = open_party(path)
        stack.callback(party.close)
        check_compute(party.settings.compute)
        for note in startup_notes(party):
            log.warning("check", party=party.name, note=note)
        endpoint = endpoint or open_endpoint(broker_of(party.settings, party.folder), party.name)
        stopping = stopping or stack.enter_context(stop_signals())
        running = stack.enter_context(PartyProcesses(party, endpoint, prepare, decide))
        if metrics is not None:
            look = partial(_look_at_broker, party) if party.settings.broker else None
            port = stack.enter_context(serving_metrics(metrics, party, endpoint, look))
            log.info("metrics", party=party.name, port=port)
        log.info("running", party=party.name, role=str(party.role), log_head=party.log.head())
        while not stopping.wait(LOOK_SECONDS):
            running.look_after()
        log.info("stopping", party=party.name)


def _look_at_broker(party: Party) -> BrokerFacts:
    return inspect_broker(broker_of(party.settings, party.folder), party.name)


def startup_notes(party: Party) -> list[str]:
    """What will keep this party from taking part in a job, though it can start."""
    notes = []
    if party.role in DATA_ROLES and party.settings.source is None:
        only = "" if party.role is Role.LOCAL else ", but what a mart delivers"
        notes.append(
            f"{party.folder.settings} has no [source]: this party has no data to train on{only}"
        )
    if not any(party.trusted):
        notes.append("no other party is trusted yet: `tally party trust` takes their cards")
    return notes
