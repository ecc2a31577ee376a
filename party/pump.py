"""A pump goes on, through failures of disk and database, until it is told to stop."""

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
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
    """Calls `step` again and again. Failures of the store are not the job's: wait, and try again.

    `recover` is called after each such failure, so that nothing in memory outlives it. `pause`
    seconds pass between two steps, unless a step says that there is more to do. On a thread of its
    own a pump that pauses may lag, and gives way to the others; see also party.turns.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], bool | None],
        recover: Callable[[], object] = lambda: None,
        pause: float = 0.0,
    ) -> None:
        self.name = name
        self.stopping = threading.Event()
        self.carriers: Sequence[threading.Thread] = ()
        self._step = step
        self._recover = recover
        self._pause = pause
        self._wait = 0.0
        self.ended = False
        self.failing = False
        self.failures = 0
        self.last_failure: Failure | None = None
        self.ended_with: RetiredKeysError | None = None

    def start(self) -> None:
        """Run on a thread of its own."""
        thread = threading.Thread(target=self._begin, name=self.name, daemon=True)
        self.carriers = (thread,)
        thread.start()

    def stop(self, timeout: float | None = None) -> None:
        """On a thread of its own: finish the step under way, then end."""
        self.stopping.set()
        for thread in self.carriers:
            thread.join(timeout)

    @property
    def alive(self) -> bool:
        carried = bool(self.carriers) and all(thread.is_alive() for thread in self.carriers)
        return carried and not self.ended

    def _begin(self) -> None:
        if self._pause:
            give_way()
        self.run()

    def run(self) -> None:
        while not self.stopping.is_set():
            pause = self.turn()
            if pause is None:
                return
            if pause:
                self.stopping.wait(pause)

    def turn(self) -> float | None:
        """One step; how many seconds to wait before the next, or None: there is none."""
        try:
            has_more = self._step()
        except StoreError as error:
            if not self._wait:
                log.error("store_failed", pump=self.name, error=str(error))  # noqa: TRY400
            return self._note(str(error))
        except EndpointClosedError:
            return None
        except RetiredKeysError as error:  # nothing that this party says is believed
            log.error("keys_retired", pump=self.name, error=str(error))  # noqa: TRY400
            self.ended_with = error
            return None
        except Exception as fault:  # noqa: BLE001
            log.error("pump_failed", pump=self.name, fault=describe(fault))  # noqa: TRY400
            return self._note(f"a fault of the program ({type(fault).__name__})")
        if self._wait:
            log.info("store_back", pump=self.name)
        self._wait, self.failing = 0.0, False
        return 0.0 if has_more else self._pause

    def _note(self, what: str) -> float:
        """Remember the failure, and forget what was in memory; the seconds to wait now."""
        self.failing = True
        self.failures += 1
        self.last_failure = Failure(what, format_time(datetime.now(UTC)))
        self._recover()
        self._wait = min(LONGEST_WAIT, 2 * self._wait or FIRST_WAIT)
        return self._wait


def give_way() -> None:
    """Of this thread and all that it starts: others come first, in this process or elsewhere.

    On Linux a thread has a priority of its own; elsewhere it keeps that of its process.
    """
    thread = threading.get_native_id()
    with contextlib.suppress(OSError):
        own = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, own + GIVING_WAY)
