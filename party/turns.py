"""Pumps that take turns on one thread: a request on its way need not change threads.

One thread leads: it runs whichever pump has something to do, the one first that has waited
longest. The others stand by, and one of them goes on with the other pumps where a turn takes long.
"""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from party.pump import Pump

LOOK_SECONDS = 0.2  # between two turns of a pump that nobody tells of anything
PATIENCE_SECONDS = 0.2  # with a turn that did not say that it takes long

_here = threading.local()


def takes_long() -> None:
    """What this thread does next takes long: the other pumps are not to wait for it."""
    turns = getattr(_here, "turns", None)
    if turns is not None:
        turns.hand_on()


@dataclass(eq=False)
class _Place:
    """A pump among the others: whether there is news for it, and when it is called without any."""

    pump: Pump
    due: bool = True
    at: float = 0.0
    taken: bool = False

    def is_ready(self, now: float) -> bool:
        """News is no reason to try again at once what has just failed."""
        if self.taken or self.pump.ended:
            return False
        return now >= self.at or (self.due and not self.pump.failing)


class Turns:
    """Runs pumps from `start` to `stop`, each on one thread at a time; as many threads as pumps."""

    def __init__(self) -> None:
        self._places: list[_Place] = []  # who waited longest comes first
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)
        self._stand_by = threading.Condition(self._lock)
        self._ended_turn = threading.Condition(self._lock)
        self._leader: int | None = None
        self._is_idle = False
        self._turn_since = 0.0
        self._started = self._stopping = False
        self._threads: list[threading.Thread] = []

    def add(self, pump: Pump) -> Callable[[], None]:
        """Give it turns until `remove`; to call what this returns is to say that it has news."""
        place = _Place(pump)
        pump.carriers = self._threads
        with self._lock:
            self._places.append(place)
            self._news.notify()
        if self._started:
            self._add_thread()

        def tell() -> None:
            with self._lock:
                place.due = True
                if self._is_idle:
                    self._news.notify()

        return tell

    def remove(self, pump: Pump, timeout: float | None = None) -> None:
        """No more turns; waits for the end of the one under way."""
        with self._lock:
            places = [place for place in self._places if place.pump is pump]
            for place in places:
                self._places.remove(place)
                self._ended_turn.wait_for(lambda place=place: not place.taken, timeout)  # type: ignore[misc]
        pump.ended = True

    def start(self) -> None:
        self._started = True
        for _ in self._places:
            self._add_thread()

    def ask_to_stop(self) -> None:
        """No turn begins any more."""
        with self._lock:
            self._stopping = True
            self._news.notify_all()
            self._stand_by.notify_all()

    def stop(self, timeout: float | None = None) -> None:
        """Finish the turns under way, then end."""
        self.ask_to_stop()
        for thread in self._threads:
            thread.join(timeout)

    def hand_on(self) -> None:
        """Another thread leads from now on."""
        with self._lock:
            if self._leader == threading.get_ident():
                self._leader = None
                self._stand_by.notify()

    def _add_thread(self) -> None:
        name = f"turns {len(self._threads) + 1}"
        thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self) -> None:
        _here.turns = self
        while self._becomes_leader():
            while (place := self._next()) is not None:
                pause = place.pump.turn()
                self._end(place, pause)

    def _becomes_leader(self) -> bool:
        """Wait for it; False when all is over."""
        with self._lock:
            while self._leader is not None and not self._stopping:
                self._stand_by.wait(PATIENCE_SECONDS)
                now = time.monotonic()
                is_late = not self._is_idle and now - self._turn_since > PATIENCE_SECONDS
                if is_late and any(place.is_ready(now) for place in self._places):
                    self._leader = None
            self._leader = threading.get_ident()
            return not self._stopping

    def _next(self) -> _Place | None:
        """Whose turn it is, as soon as it is somebody's; None: this thread leads no more."""
        with self._lock:
            while self._leader == threading.get_ident() and not self._stopping:
                now = time.monotonic()
                for place in self._places:
                    if place.is_ready(now):
                        place.taken, place.due = True, False
                        self._turn_since = now
                        return place
                self._is_idle = True
                free = [place.at for place in self._places if not place.taken]
                first = min(free, default=math.inf)
                self._news.wait(None if first == math.inf else max(0.0, first - now))
                self._is_idle = False
            return None

    def _end(self, place: _Place, pause: float | None) -> None:
        with self._lock:
            place.taken = False
            place.at = math.inf if pause is None else time.monotonic() + pause
            place.pump.ended = pause is None
            if place in self._places:
                self._places.remove(place)
                self._places.append(place)
            self._ended_turn.notify_all()
            if self._is_idle:  # another thread leads, and waits without knowing of this one
                self._news.notify()
