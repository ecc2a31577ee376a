"""One process of a party tells the others that the log has grown, so that none has to look often.

Every process that waits has a named pipe in a folder of the party; whoever appends writes a byte
into each. A bell that is lost costs a moment: waiting looks at the log from time to time as well.
"""

import contextlib
import errno
import os
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

# The time of a folder's last change may be this old and another change have the same.
CLOCK_TICK_NANOSECONDS = 1_000_000_000

_NUMBERS = count()


class Doorbell:
    """Rings the bells of the others; `listen` hangs up one of its own until `close`."""

    def __init__(self, folder: Path, on_ring: Callable[[], None]) -> None:
        self._others = _Bells(folder)
        self._folder = folder
        self._on_ring = on_ring
        self._own: Path | None = None
        self._pipe = -1
        self._closing = False
        self._lock = threading.Lock()

    def ring(self) -> None:
        """Wake who listens elsewhere; forget the bells of processes that are gone."""
        self._others.ring(self._own)

    def listen(self) -> None:
        """Call `on_ring` on a thread of its own whenever somebody rings."""
        if self._own is not None:
            return
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
                _ring_once(self._own)
            self._others.close()

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


class _Bells:
    """The bells in a folder, held open: several are rung for each event."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, int] = {}
        self._seen = -1
        self._lock = threading.Lock()

    def ring(self, own: Path | None) -> None:
        """All but one's own."""
        with self._lock, contextlib.suppress(OSError):
            changed = self._folder.stat().st_mtime_ns
            if changed != self._seen:
                self._look(own)
                settled = time.time_ns() - changed > CLOCK_TICK_NANOSECONDS
                self._seen = changed if settled else -1
            for name, pipe in list(self._open.items()):
                try:
                    os.write(pipe, b"!")
                except BlockingIOError:
                    pass  # full: it will be heard anyway
                except BrokenPipeError:
                    self._drop(name)
                    (self._folder / name).unlink(missing_ok=True)

    def close(self) -> None:
        with self._lock:
            for name in list(self._open):
                self._drop(name)
            self._seen = -1

    def _look(self, own: Path | None) -> None:
        """Who listens now."""
        here = {bell.name for bell in os.scandir(self._folder)} - {own.name if own else ""}
        for gone in self._open.keys() - here:
            self._drop(gone)
        for name in here - self._open.keys():
            if (pipe := _opened(self._folder / name)) is not None:
                self._open[name] = pipe

    def _drop(self, name: str) -> None:
        os.close(self._open.pop(name))


def _opened(bell: Path) -> int | None:
    """The pipe, if somebody listens; without a listener it is taken down."""
    try:
        return os.open(bell, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ENXIO and not bell.name.startswith("."):
            bell.unlink(missing_ok=True)
        return None


def _ring_once(bell: Path) -> None:
    if (pipe := _opened(bell)) is not None:
        with contextlib.suppress(OSError):
            os.write(pipe, b"!")
        os.close(pipe)
