"""A party running: its link and its reactor, as threads of one process or as two processes.

In two processes hours of computing cannot starve a heartbeat: they share nothing but the log.
"""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import structlog

from bus.endpoint import Endpoint
from bus.rabbitmq import open_endpoint
from events.vocabulary import DATA_ROLES, Role
from handlers.reactions import decide
from party.compute import check_compute
from party.errors import LinkError
from party.inner_pumps import InnerPumps
from party.link import Link
from party.lock import running_alone
from party.opening import Party, open_party
from party.pulse import LINK, Heart
from party.reactor import Decide
from party.reactor_process import ReactorProcess
from party.settings import broker_of
from party.stopping import stop_signals

STOP_SECONDS = 10.0
LOOK_SECONDS = 0.2

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

    def __enter__(self) -> Self:
        self._lock.enter_context(running_alone(self.party.folder.lock))
        self._link.start()
        self._inner.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Finish the steps under way, at most STOP_SECONDS; the party itself stays open."""
        self._inner.ask_to_stop()
        self._link.stop()
        try:
            self._inner.stop(STOP_SECONDS)
        finally:
            self._lock.close()


def run_party(
    path: Path,
    *,
    prepare: Callable[[], None] | None = None,
    endpoint: Endpoint | None = None,
    decide: Decide = decide,
    stopping: threading.Event | None = None,
) -> None:
    """Run the party until SIGINT or SIGTERM: the link here, the reactor in a process of its own.

    `prepare` (an importable function) runs first in the other process, to set up its output.
    Raises PartyError, StoreError and BusError where the party cannot start.
    """
    with ExitStack() as stack:
        party = open_party(path)
        stack.callback(party.close)
        stack.enter_context(running_alone(party.folder.lock))
        check_compute(party.settings.compute)
        for note in startup_notes(party):
            log.warning("check", party=party.name, note=note)
        endpoint = endpoint or open_endpoint(broker_of(party.settings, party.folder), party.name)
        link = Link(party, endpoint)
        heart = Heart(party.folder, LINK, link.pumps, endpoint)
        reactor = ReactorProcess(party.folder.path, decide, prepare)
        stopping = stopping or stack.enter_context(stop_signals())
        link.start()
        stack.callback(link.stop)
        reactor.start()
        stack.callback(reactor.stop)
        log.info("running", party=party.name, role=str(party.role), log_head=party.log.head())
        while not stopping.wait(LOOK_SECONDS):
            reactor.look_after()
            heart.beat_when_due()
            if not link.alive:
                raise LinkError(f"the link of {party.name} ended by itself: its output says why")
        log.info("stopping", party=party.name)


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
