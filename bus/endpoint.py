"""One party's connection to the bus, whichever broker carries it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

from bus.errors import BrokerError, DeliverySettledError
from bus.parcel import Outcome, Parcel

Settled = Callable[[Outcome], None]


class Settlement(Protocol):
    """What a broker does when a delivery is settled; never raises, may be too late."""

    def acknowledge(self) -> None: ...
    def requeue(self) -> None: ...
    def reject(self, reason: str) -> None: ...


@dataclass(frozen=True)
class Delivery:
    """A parcel in hand. Exactly one of the three verbs ends it; any thread may call it.

    A delivery that outlives its connection settles nothing: the broker delivers it again.
    `attempts` counts deliveries of this parcel, this one included.
    """

    parcel: Parcel
    redelivered: bool
    attempts: int
    settlement: Settlement = field(repr=False)
    _unsettled: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    def acknowledge(self) -> None:
        """It is in the log: the broker may forget it."""
        self._settle_once()
        self.settlement.acknowledge()

    def requeue(self) -> None:
        """Not now: deliver it again, at most as often as the queue's delivery limit."""
        self._settle_once()
        self.settlement.requeue()

    def reject(self, reason: str) -> None:
        """Never: put it in the dead-letter queue, with the reason; of a flood only the first."""
        self._settle_once()
        self.settlement.reject(reason)

    def _settle_once(self) -> None:
        if not self._unsettled.acquire(blocking=False):
            raise DeliverySettledError("this delivery was settled before")


class Endpoint(Protocol):
    """Sends and receives as one party; safe to use from several threads."""

    @property
    def name(self) -> str: ...

    @property
    def connected(self) -> bool: ...

    @property
    def connections(self) -> int:
        """How often the link to the broker has come up: a higher number is another connection."""

    @property
    def blocked(self) -> str | None:
        """Why the broker takes no parcels at the moment (a memory or disk alarm), if so."""

    @property
    def last_error(self) -> BrokerError | None: ...

    def send(self, parcel: Parcel, settled: Settled) -> None:
        """Hand over a parcel; `settled` is called exactly once, from any thread.

        It may be called before send returns, and must be quick. Waits while the window of
        unsettled parcels is full. Raises EndpointClosedError, also while it waits.
        """

    def receive(self, timeout: float) -> Delivery | None:
        """The next delivery, or None after `timeout` seconds.

        Parcels may come twice and in any order. Nothing more comes while as many deliveries
        as the prefetch limit are unsettled. Raises EndpointClosedError.
        """

    def when_delivered(self, tell: Callable[[], None]) -> None:
        """Call this, on any thread, when `receive` may have something; `tell` has to be quick."""

    def close(self) -> None:
        """Settle what was sent (LOST where the broker did not answer in time), then leave.

        What was delivered and not acknowledged is delivered again to the next endpoint.
        Closing twice is harmless; never close from a `settled` callback.
        """
