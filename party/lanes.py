"""One recipient's deliveries: in order, a few at a time, ever more slowly while it is not there."""

import bisect
from dataclasses import dataclass, field

from bus.parcel import Outcome
from store.entry import Delivery

IN_FLIGHT = 8
SHORTEST_DELAY, LONGEST_DELAY = 0.25, 15.0


@dataclass(eq=False)
class Sending:
    """A delivery on its way: parcels without an answer, and the worst answer so far."""

    delivery: Delivery
    unanswered: int = 0
    outcome: Outcome = Outcome.CONFIRMED

    @property
    def key(self) -> tuple[int, str]:
        return self.delivery.position, self.delivery.recipient

    def answer(self, outcome: Outcome) -> bool:
        """Note one answer; True when it was the last."""
        self.unanswered -= 1
        if outcome is not Outcome.CONFIRMED:
            self.outcome = outcome
        return self.unanswered == 0


@dataclass
class Lane:
    """What one recipient still has to get."""

    waiting: list[Delivery] = field(default_factory=list)
    under_way: set[Sending] = field(default_factory=set)
    failures: int = 0
    not_before: float = 0.0

    @property
    def ready(self) -> bool:
        """Whether one more may go out: a single one while the recipient does not take them."""
        return bool(self.waiting) and len(self.under_way) < (1 if self.failures else IN_FLIGHT)

    def add(self, delivery: Delivery) -> None:
        bisect.insort(self.waiting, delivery, key=lambda waiting: waiting.position)

    def begin(self, delivery: Delivery) -> Sending:
        sending = Sending(delivery)
        self.under_way.add(sending)
        return sending

    def end(self, sending: Sending) -> bool:
        """False for one that this lane knows nothing of."""
        known = sending in self.under_way
        self.under_way.discard(sending)
        return known

    def put_back(self, delivery: Delivery, now: float) -> None:
        """Try again later; several that failed together make one failure."""
        self.add(delivery)
        if now >= self.not_before:
            self.not_before = now + min(LONGEST_DELAY, SHORTEST_DELAY * 2.0**self.failures)
            self.failures = min(self.failures + 1, 16)
