"""The regular track and the books in a process of their own, started again when it dies."""

import multiprocessing
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import structlog

from party.errors import PartyError
from party.folder import PartyFolder
from party.inner_pumps import InnerPumps
from party.lock import running_alone
from party.opening import open_party
from party.pulse import REACTOR, Heart
from party.pump import give_way
from party.reactor import Decide
from party.stopping import stop_signals
from party.tracks import Track
from store.errors import StoreError

PATIENCE_SECONDS = 10.0  # for a reactor whose link was killed to notice it and leave
STOP_SECONDS = 10.0
FIRST_PAUSE, LONGEST_PAUSE, CALM_SECONDS = 0.5, 30.0, 60.0
LOOK_SECONDS = 0.2

SWITCH_SECONDS = 0.0005  # between threads: none has to wait while another one computes

log = structlog.get_logger()


class ReactorProcess:
    """Starts the reactor of the party in a folder; `look_after` restarts it with back-off."""

    def __init__(self, path: Path, decide: Decide, prepare: Callable[[], None] | None) -> None:
        self._arguments = (path, decide, prepare)
        self._process: BaseProcess | None = None
        self._started = 0.0
        self._pause = FIRST_PAUSE

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")
        # No daemon, as those may have no processes of their own to compute with.
        self._process = context.Process(target=react, args=self._arguments)
        self._process.start()
        self._started = time.monotonic()

    def look_after(self) -> None:
        """Start it again if it died; ever later if it keeps dying."""
        if self._process is None or self._process.is_alive():
            return
        lived = time.monotonic() - self._started
        if lived > CALM_SECONDS:
            self._pause = FIRST_PAUSE
        if lived < self._pause:
            return
        log.error("reactor_died", exit_code=self._process.exitcode)
        self._pause = min(LONGEST_PAUSE, 2 * self._pause)
        self.start()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def stop(self) -> None:
        """Let it finish its step; kill it after STOP_SECONDS, which harms nothing."""
        if self._process is None:
            return
        self._process.terminate()
        self._process.join(STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def react(path: Path, decide: Decide, prepare: Callable[[], None] | None) -> None:
    """The process: reacts until it is told to stop or its link is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the link decides what Ctrl-C means
    sys.setswitchinterval(SWITCH_SECONDS)
    give_way()
    if prepare is not None:
        prepare()
    try:
        with (
            stop_signals([signal.SIGTERM]) as stopping,
            running_alone(PartyFolder(path).path / "reactor.lock", PATIENCE_SECONDS),
        ):
            party = open_party(path)
            pumps = InnerPumps(party, decide, [Track.REGULAR])
            pumps.start()
            heart = Heart(party.folder, REACTOR, pumps.pumps)
            link = multiprocessing.parent_process()
            while not stopping.wait(LOOK_SECONDS) and (link is None or link.is_alive()):
                heart.beat_when_due()
            pumps.stop(STOP_SECONDS / 2)
    except (PartyError, StoreError) as error:
        log.error("reactor_cannot_start", error=str(error))  # noqa: TRY400
        raise SystemExit(1) from None
