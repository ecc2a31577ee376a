"""Looking for cycles less often: what an audit keeps of a log stays to its end, and has none."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# Python's own 700, 10, 10 takes a sixth of the time of verifying a long log, in vain.
RARELY = 10_000, 50, 100


@contextmanager
def rarely_collecting() -> Iterator[None]:
    """For a process that does nothing else: the thresholds of the collector are its own."""
    before = gc.get_threshold()
    gc.set_threshold(*RARELY)
    try:
        yield
    finally:
        gc.set_threshold(*before)
