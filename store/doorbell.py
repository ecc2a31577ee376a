"""One process of a party tells the others that the log has grown, so that none has to look often.

Every process that waits has a named pipe in a folder of the party; whoever appends writes a byte
into each. A bell that is lost costs a moment: waiting looks at the log from time to time as well.
"""

import contextlib
import errno
import os
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path

_NUMBERS = count()


class Doorbell:
    """Rings the bells of the others; `listen` hangs up one of its own until `close`."""

    def __init__(self, folder: Path, on_ring: Callable[[], None]) -> None:
        self._folder = folder
        self._on_ring = on_ring
        self._own: Path | None = None
        self._pipe = -1
        self._closing = False
        self._lock = threading.Lock()

    def ring(self) -> None:
        """Wake who listens elsewhere; forget the bells of processes that are gone."""
        with contextlib.suppress(OSError):
            for bell in list(os.scandir(self._folder)):
                if self._own is None or bell.name != self._own.name:
                    _ring(Path(bell.path))

    def listen(self) -> None:
        """Call `on_ring` on a thread of its own whenever somebody rings."""
        with self._lock:
            if self._own is not None or self._closing:
                return
            with contextlib.suppress(OSError):  # no such pipes here: looking has to do
                self._own = self._hang_up()
                thread = threading.Thread(target=self._hear, name="doorbell", daemon=True)
                thread.start()

    def close(self) -> None:
        with self._lock:
            self._closing = True
            if self._own is not None:
                _ring(self._own)

    def _hang_up(self) -> Path:
        """Visible only when it is open: whoever rings takes a bell without a listener down."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        name = f"{os.getpid()}-{next(_NUMBERS)}"
        making, own = self._folder / f".{name}", self._folder / name
        os.mkfifo(making, 0o600)
        # For reading and writing, or it would end whenever the last ringer hangs up.
        self._pipe = os.open(making, os.O_RDWR)
        making.rename(own)
        return own

    def _hear(self) -> None:
        while not self._closing:
            os.read(self._pipe, 4096)
            self._on_ring()
        if self._own is not None:
            self._own.unlink(missing_ok=True)
        os.close(self._pipe)


def _ring(bell: Path) -> None:
    try:
        pipe = os.open(bell, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ENXIO and not bell.name.startswith("."):
            bell.unlink(missing_ok=True)
        return
    with contextlib.suppress(OSError):  # full: it will be heard anyway
        os.write(pipe, b"!")
    os.close(pipe)
