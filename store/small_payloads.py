"""Small payloads before they have files: remembered for a moment, and kept by the log.

Making a file takes longer than all the rest of a small event, whose transaction is forced to the
disk anyway: the bytes of its payloads travel in there, and get their files later, many at once.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable

# Salt ‖ plaintext of a payload that the log keeps as it may have no file yet, or None.
Kept = Callable[[str], bytes | None]

LARGEST_SMALL = 16 * 1024  # of salt ‖ plaintext
MOST_RECENT = 1000


class SmallPayloads:
    """Salt ‖ plaintext by commitment; several threads may share it."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._recent: OrderedDict[str, bytes] = OrderedDict()

    def add(self, salted: bytes) -> str:
        """Remember it; returns its commitment."""
        commitment = hashlib.sha256(salted).hexdigest()
        self._recent[commitment] = salted
        while len(self._recent) > MOST_RECENT:
            self._recent.popitem(last=False)
        return commitment

    def recent(self, commitment: str) -> bytes | None:
        return self._recent.get(commitment)

    def kept(self, commitment: str) -> bytes | None:
        """From the log, for what another process wrote, or this one long ago."""
        return self._kept(commitment)

    def forget(self, commitment: str) -> None:
        self._recent.pop(commitment, None)
