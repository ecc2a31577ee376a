"""The end of a log in memory: several pumps of a process read each event as soon as it is there."""

import threading
from collections import deque
from collections.abc import Sequence

from store.entry import Entry

MOST = 256


class Newest:
    """What was appended here last, without gaps; what others append is in the database alone."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=MOST)
        self._changing = threading.Lock()

    def add(self, entries: Sequence[Entry]) -> None:
        """Entries of one transaction that is on the disk. Another thread's may have come first."""
        with self._changing:
            last = self._entries[-1].position if self._entries else 0
            if entries[0].position <= last:
                return
            if entries[0].position > last + 1:
                self._entries.clear()
            self._entries.extend(entries)

    def after(self, position: int, limit: int) -> list[Entry]:
        """As `Log.follow`; nothing where the database has to be asked."""
        with self._changing:
            if not self._entries:
                return []
            begun = position + 1 - self._entries[0].position
            if begun < 0:
                return []
            return [self._entries[n] for n in range(begun, min(len(self._entries), begun + limit))]
