"""How often something is done at most, however often there is a reason to do it."""

import time
from collections.abc import Callable


class Ration:
    """So many at once, and as many again in each stretch of time; one thread calls `take`."""

    def __init__(
        self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._rate, self._clock = float(most), most / seconds, clock
        self._left, self._looked_at = self._most, clock()

    def take(self) -> bool:
        """Whether there is some left; True uses it up."""
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._looked_at) * self._rate)
        self._looked_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
