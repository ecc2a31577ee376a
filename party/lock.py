"""A party never runs twice: a lock on a file in its folder, gone with the process that held it."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from party.errors import AlreadyRunningError, FolderError


@contextmanager
def running_alone(path: Path, patience: float = 0.0) -> Iterator[None]:
    """Hold the lock, waiting `patience` seconds for it. Raises AlreadyRunningError."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise FolderError(f"{path} cannot be written: {error.strerror}") from error
    try:
        _lock(descriptor, path, time.monotonic() + patience)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path, give_up: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= give_up:
                raise AlreadyRunningError(
                    f"the party in {path.parent} is running already: stop the other one first"
                ) from None
            time.sleep(0.05)
        else:
            return
