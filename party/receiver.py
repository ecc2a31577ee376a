"""The receive pump: check, append, then acknowledge. It never computes.

A parcel is acknowledged when it is on the disk: a chunk in the spool, an envelope in the log or,
while something before it is missing, held in the log's database. What is refused is counted, said
in its output, and goes to the dead-letter queue with its reason.
"""

import structlog

from bus.endpoint import Delivery, Endpoint
from bus.errors import BusError
from bus.parcel import Parcel
from party.errors import Reason, RefusalError, RetiredKeysError
from party.faults import describe
from party.heads_exchange import HeadsExchange
from party.intake import Intake
from party.opening import Party
from party.pump import Pump
from party.transport import take_apart
from party.turns import LOOK_SECONDS, Turns
from store.errors import StoreError

MOST_UNACKNOWLEDGED = 16

log = structlog.get_logger()


class Receiver:
    """Takes parcels from the endpoint into the log. `step` is for one thread at a time."""

    def __init__(
        self, party: Party, endpoint: Endpoint, heads: HeadsExchange | None = None
    ) -> None:
        self._party = party
        self._endpoint = endpoint
        self._heads = heads or HeadsExchange(party, endpoint, lambda: None)
        self._in_hand: Delivery | None = None
        self._safe: list[Delivery] = []  # and not acknowledged yet
        self._intake: Intake | None = None

    def join(self, turns: Turns) -> Pump:
        """Work among the pumps that take turns."""
        pump = Pump("receive", lambda: self.step(0.0), self._forget, LOOK_SECONDS)
        self._endpoint.when_delivered(turns.add(pump))
        return pump

    def step(self, timeout: float = 0.2) -> bool:
        """Deal with one delivery; whether there was one.

        After a StoreError the same one is dealt with again.
        """
        if self._intake is None:
            intake = Intake(self._party, self._heads.ask_again)
            intake.look_back()
            self._intake = intake
        self._intake.settle_refusals()
        self._in_hand = self._in_hand or self._next(timeout)
        if self._in_hand is None:
            return False
        refusal = self._take(self._intake, self._in_hand.parcel)
        delivery, self._in_hand = self._in_hand, None
        if refusal is None:
            self._safe.append(delivery)
            if len(self._safe) == MOST_UNACKNOWLEDGED:
                self._acknowledge()
        else:
            delivery.reject(str(refusal))
        return True

    def _next(self, timeout: float) -> Delivery | None:
        if self._safe and (delivery := self._endpoint.receive(0.0)):
            return delivery
        self._acknowledge()
        return self._endpoint.receive(timeout)

    def _acknowledge(self) -> None:
        """Together, when there is nothing else to do: what a parcel leads to is more urgent."""
        safe, self._safe = self._safe, []
        for delivery in safe:
            delivery.acknowledge()

    def _take(self, intake: Intake, parcel: Parcel) -> Reason | None:
        """None when the parcel is safe, else why it was refused."""
        arrived = take_apart(parcel.body, parcel.headers)
        canonical = arrived.canonical if parcel.kind == "envelope" else b""
        try:
            match parcel.kind:
                case "heads":
                    self._heads.take(parcel.sender, parcel.body)
                    return None
                case "returned":
                    self._heads.take_back(parcel.sender, parcel.body)
                    return None
                case "chunk":
                    intake.take_chunk(parcel.sender, parcel.headers, parcel.body)
                case _:
                    intake.take_envelope(parcel.sender, arrived)
            self._heads.count(parcel.sender)
        except RefusalError as refusal:
            intake.record(parcel.sender, refusal, canonical)
            return refusal.reason
        except (StoreError, BusError, RetiredKeysError):
            raise
        except Exception as fault:  # noqa: BLE001
            log.error("receive_failed", sender=parcel.sender, fault=describe(fault))  # noqa: TRY400
            intake.record(parcel.sender, RefusalError(Reason.INTERNAL), canonical)
            return Reason.INTERNAL
        return None

    def settle_refusals(self) -> None:
        """Nothing more is received: write down what was only counted. Raises StoreError."""
        if self._intake is not None:
            self._intake.settle_refusals(now=True)

    def _forget(self) -> None:
        self._intake = None
