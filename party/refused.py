"""The account of refused messages: each is counted, and a flood of them costs little.

A few are written down as they come. Of more only the number is kept, by sender and reason, and
written down together a second later: a crash loses the count of that second and nothing else. The
output names the first of a minute, and says how many more there were.
"""

import time
from collections import Counter
from collections.abc import Callable

import structlog

from bus.ration import Ration
from store.log import Log
from store.transaction import LogTransaction

AT_ONCE, AT_ONCE_SECONDS = 100, 20.0
SECONDS = 1.0
LINES, LINES_SECONDS = 60, 60.0
MOST_SENDERS = 200  # who may publish as anybody can make up names without end
OTHERS = "(others)"

log = structlog.get_logger()


class RefusalAccount:
    """Counts by (sender, reason, type); one thread uses it."""

    def __init__(self, store: Log, clock: Callable[[], float] = time.monotonic) -> None:
        self._log, self._clock = store, clock
        self._at_once = Ration(AT_ONCE, AT_ONCE_SECONDS, clock)
        self._lines = Ration(LINES, LINES_SECONDS, clock)
        self._later: Counter[tuple[str, str, str]] = Counter()
        self._due = self._say_by = 0.0
        self._unsaid: Counter[tuple[str, str]] = Counter()
        self._senders = {refusal.sender for refusal in store.refusals()}

    def enter(
        self, sender: str, reason: str, kind: str, told: str
    ) -> Callable[[LogTransaction], None] | None:
        """Count one refusal, now by what is returned, or where that is None later with others."""
        sender = self._name(sender)
        self._say(sender, reason, kind, told)
        if self._at_once.take():
            return lambda transaction: transaction.refuse(sender, reason, kind)
        if not self._later:
            self._due = self._clock() + SECONDS
        self._later[sender, reason, kind] += 1
        return None

    def settle(self, *, now: bool = False) -> None:
        """Write down what waited for it long enough. Raises StoreError; then it waits on."""
        if self._later and (now or self._clock() >= self._due):
            with self._log.transaction() as transaction:
                for (sender, reason, kind), times in self._later.items():
                    transaction.refuse(sender, reason, kind, times)
            self._later.clear()
        if self._unsaid and (now or self._clock() >= self._say_by):
            for (sender, reason), times in self._unsaid.items():
                log.warning("refused_more", sender=sender, reason=reason, times=times)
            self._unsaid.clear()

    def _say(self, sender: str, reason: str, kind: str, told: str) -> None:
        if self._lines.take():
            log.warning("refused", sender=sender, reason=told, type=kind)
            return
        if not self._unsaid:
            self._say_by = self._clock() + LINES_SECONDS
        self._unsaid[sender, reason] += 1

    def _name(self, sender: str) -> str:
        if sender not in self._senders:
            if len(self._senders) >= MOST_SENDERS:
                return OTHERS
            self._senders.add(sender)
        return sender
