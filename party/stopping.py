"""How a long-running command is told to stop: SIGINT and SIGTERM set an event."""

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

STOPPING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_signals(numbers: Iterable[signal.Signals] = STOPPING) -> Iterator[threading.Event]:
    """An event that these signals set, instead of what they did before."""
    stopping = threading.Event()

    def stop(*_: object) -> None:
        # On a thread of its own: here it would wait for the lock that the interrupted thread holds
        # whenever the signal comes in the midst of its own wait.
        threading.Thread(target=stopping.set, name="stop", daemon=True).start()

    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
