"""How much one endpoint may have sent and not yet settled."""

from threading import Condition

from bus.errors import EndpointClosedError


class Window:
    """A limit on parcels and bytes; a parcel larger than the limit goes through alone."""

    def __init__(self, parcels: int, size: int) -> None:
        self._limits = (parcels, size)
        self._parcels = 0
        self._bytes = 0
        self._closed = False
        self._changed = Condition()

    def enter(self, size: int) -> None:
        """Wait for room. Raises EndpointClosedError once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._has_room(size))
            if self._closed:
                raise EndpointClosedError("the endpoint is closed: nothing more can be sent")
            self._parcels += 1
            self._bytes += size

    def leave(self, size: int) -> None:
        with self._changed:
            self._parcels -= 1
            self._bytes -= size
            self._changed.notify_all()

    def close(self) -> None:
        """Let nobody in any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _has_room(self, size: int) -> bool:
        parcels, total = self._limits
        return self._parcels == 0 or (self._parcels < parcels and self._bytes + size <= total)
