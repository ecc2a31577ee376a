"""A pump goes on, through failures of disk and database, until it is told to stop."""

import contextlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from bus.errors import EndpointClosedError
from events.envelope import format_time
from party.errors import RetiredKeysError
from party.faults import describe
from store.errors import StoreError

FIRST_WAIT, LONGEST_WAIT = 0.2, 30.0
GIVING_WAY = 5  # steps of niceness

log = structlog.get_logger()


@dataclass(frozen=True)
class Failure:
    """What went wrong in a step, and when."""

    what: str
    time: str


class Pump:
    """A loop around `step`. Failures of the store are not the job's: wait, and try again.

    `recover` is called after each such failure, so that nothing in memory outlives it. `pause`
    seconds pass between two steps, for a pump that may lag and does more at once; its thread gives
    way to the others.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], object],
        recover: Callable[[], object] = lambda: None,
        pause: float = 0.0,
    ) -> None:
        self.name = name
        self.stopping = threading.Event()
        self._step = step
        self._recover = recover
        self._pause = pause
        self._thread: threading.Thread | None = None
        self.failing = False
        self.failures = 0
        self.last_failure: Failure | None = None
        self.ended_with: RetiredKeysError | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._begin, name=self.name, daemon=True)
        self._thread.start()

    def stop(self, timeout: float | None = None) -> None:
        """Finish the step under way, then end."""
        self.stopping.set()
        if self._thread is not None:
            self._thread.join(timeout)

    @property
    def alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _begin(self) -> None:
        if self._pause:
            _give_way()
        self.run()

    def run(self) -> None:
        wait = 0.0
        while not self.stopping.is_set():
            try:
                self._step()
            except StoreError as error:
                if not wait:
                    log.error("store_failed", pump=self.name, error=str(error))  # noqa: TRY400
                wait = self._note(str(error), wait)
                self._recover()
                self.stopping.wait(wait)
            except EndpointClosedError:
                return
            except RetiredKeysError as error:  # nothing that this party says is believed
                log.error("keys_retired", pump=self.name, error=str(error))  # noqa: TRY400
                self.ended_with = error
                return
            except Exception as fault:  # noqa: BLE001
                log.error("pump_failed", pump=self.name, fault=describe(fault))  # noqa: TRY400
                wait = self._note(f"a fault of the program ({type(fault).__name__})", wait)
                self._recover()
                self.stopping.wait(wait)
            else:
                if wait:
                    log.info("store_back", pump=self.name)
                wait, self.failing = 0.0, False
                if self._pause:
                    self.stopping.wait(self._pause)

    def _note(self, what: str, wait: float) -> float:
        """Remember the failure; returns the seconds to wait now."""
        self.failing = True
        self.failures += 1
        self.last_failure = Failure(what, format_time(datetime.now(UTC)))
        return min(LONGEST_WAIT, 2 * wait or FIRST_WAIT)


def _give_way() -> None:
    """On Linux a thread has a priority of its own; elsewhere it keeps that of its process."""
    thread = threading.get_native_id()
    with contextlib.suppress(OSError):
        own = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, own + GIVING_WAY)
