"""Deliveries between the I/O loop's thread, which brings them, and the receiving thread."""

from collections import deque
from collections.abc import Callable
from threading import Condition

from bus.endpoint import Delivery
from bus.errors import EndpointClosedError


class Inbox:
    """A queue that can be emptied and closed; the broker's prefetch limit bounds it."""

    def __init__(self) -> None:
        self._deliveries: deque[Delivery] = deque()
        self._closed = False
        self._changed = Condition()
        self._tell: list[Callable[[], None]] = []

    def when_filled(self, tell: Callable[[], None]) -> None:
        """Call this when there is something to take, or the inbox is closed."""
        self._tell.append(tell)

    def put(self, delivery: Delivery) -> None:
        with self._changed:
            self._deliveries.append(delivery)
            self._changed.notify()
        self._tell_all()

    def take(self, timeout: float) -> Delivery | None:
        """The oldest delivery, or None after the timeout. Raises EndpointClosedError."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._deliveries, timeout)
            if self._closed:
                raise EndpointClosedError("the endpoint is closed: nothing more is received")
            return self._deliveries.popleft() if self._deliveries else None

    def clear(self) -> None:
        """Forget deliveries of a lost connection: the broker delivers them again."""
        with self._changed:
            self._deliveries.clear()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._deliveries.clear()
            self._changed.notify_all()
        self._tell_all()

    def _tell_all(self) -> None:
        for tell in self._tell:
            tell()
