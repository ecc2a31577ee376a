"""The bus within one process: RabbitMQ's promises without RabbitMQ.

It redelivers, counts, dead-letters and refuses like the broker, and on demand reorders,
duplicates and delays from a seed. Nothing here waits for a clock, except an idle receive.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from threading import Condition
from time import monotonic

from bus.endpoint import Delivery, Settled
from bus.errors import BrokerError, EndpointClosedError
from bus.parcel import DeadLetter, Outcome, Parcel, check_party_name

DELIVERY_LIMIT = 20
PREFETCH = 32


@dataclass(frozen=True)
class Disturbance:
    """How a broker misbehaves: probabilities per parcel, drawn from the seed.

    A delayed parcel waits until `patience` others have come for the same party, or until
    the party has nothing else to receive.
    """

    seed: int
    reorder: float = 0.0
    duplicate: float = 0.0
    delay: float = 0.0
    patience: int = 5


@dataclass(frozen=True)
class _Message:
    parcel: Parcel
    attempts: int = 0


@dataclass
class _Queue:
    """A party's queue: what is ready, what is held back, and who reads it (the oldest)."""

    ready: deque[_Message] = field(default_factory=deque)
    delayed: deque[tuple[int, _Message]] = field(default_factory=deque)
    dead: list[DeadLetter] = field(default_factory=list)
    readers: list["MemoryEndpoint"] = field(default_factory=list)
    arrived: int = 0

    @property
    def waiting(self) -> int:
        return len(self.ready) + len(self.delayed)


class MemoryBroker:
    """All queues of one federation, guarded by one lock."""

    def __init__(
        self,
        *,
        delivery_limit: int = DELIVERY_LIMIT,
        prefetch: int = PREFETCH,
        disturbance: Disturbance | None = None,
        queue_limit: int | None = None,
    ) -> None:
        self.prefetch = prefetch
        self._queue_limit = queue_limit
        self._delivery_limit = delivery_limit
        self._disturbance = disturbance
        self._random = Random(disturbance.seed if disturbance else 0)  # noqa: S311 -- faults
        self._queues: dict[str, _Queue] = {}
        self._changed = Condition()

    def endpoint(self, name: str) -> "MemoryEndpoint":
        """Open an endpoint for the party, and its queue if this is the first."""
        check_party_name(name)
        endpoint = MemoryEndpoint(self, name)
        with self._changed:
            self._queues.setdefault(name, _Queue()).readers.append(endpoint)
        return endpoint

    def wipe(self) -> None:
        """Lose everything, as a broker whose disk is gone; those who are here come again."""
        with self._changed:
            for name, queue in self._queues.items():
                self._queues[name] = _Queue(readers=queue.readers)
                for endpoint in queue.readers:
                    endpoint.unsettled.clear()
                    endpoint.connections += 1
            self._changed.notify_all()

    def dead_letters(self, party: str) -> list[DeadLetter]:
        """What was set aside for the party, oldest first."""
        with self._changed:
            return list(self._queues[party].dead)

    def accept(self, parcel: Parcel) -> Outcome:
        """Queue the parcel for its recipient."""
        with self._changed:
            queue = self._queues.get(parcel.recipient)
            if queue is None:
                return Outcome.UNROUTABLE
            if self._queue_limit is not None and queue.waiting >= self._queue_limit:
                return Outcome.FULL
            queue.arrived += 1
            self._enqueue(queue, _Message(parcel))
            if self._happens("duplicate"):
                self._enqueue(queue, _Message(parcel))
            self._changed.notify_all()
        for reader in list(queue.readers):
            reader.tell()
        return Outcome.CONFIRMED

    def take(self, endpoint: "MemoryEndpoint", timeout: float) -> Delivery | None:
        """The next delivery for the endpoint, when it is the party's active reader."""
        deadline = monotonic() + timeout
        with self._changed:
            queue = self._queues[endpoint.name]
            while True:
                if endpoint.closed:
                    raise EndpointClosedError(f"the endpoint of {endpoint.name} is closed")
                if queue.readers[0] is endpoint and len(endpoint.unsettled) < self.prefetch:
                    message = self._next(queue)
                    if message is not None:
                        return self._deliver(endpoint, message)
                remaining = deadline - monotonic()
                if remaining <= 0:
                    return None
                self._changed.wait(remaining)

    def give_back(self, endpoint: "MemoryEndpoint") -> None:
        """Close the endpoint: its unsettled deliveries go to the next reader."""
        with self._changed:
            if endpoint.closed:
                return
            endpoint.closed = True
            queue = self._queues[endpoint.name]
            queue.readers.remove(endpoint)
            for message in reversed(endpoint.unsettled.values()):
                self._return(queue, message)
            endpoint.unsettled.clear()
            self._changed.notify_all()
        for reader in (endpoint, *queue.readers):
            reader.tell()

    def settle(
        self,
        endpoint: "MemoryEndpoint",
        tag: int,
        *,
        requeue: bool = False,
        reason: str | None = None,
    ) -> None:
        """End one delivery, unless its endpoint was closed before."""
        with self._changed:
            message = endpoint.unsettled.pop(tag, None)
            if message is None:
                return
            queue = self._queues[endpoint.name]
            if requeue:
                self._return(queue, message)
            elif reason is not None:
                queue.dead.append(DeadLetter(message.parcel, reason))
            self._changed.notify_all()
        if requeue:
            endpoint.tell()

    def _deliver(self, endpoint: "MemoryEndpoint", message: _Message) -> Delivery:
        message = replace(message, attempts=message.attempts + 1)
        tag = endpoint.next_tag
        endpoint.next_tag += 1
        endpoint.unsettled[tag] = message
        settlement = _Settlement(self, endpoint, tag)
        return Delivery(message.parcel, message.attempts > 1, message.attempts, settlement)

    def _return(self, queue: _Queue, message: _Message) -> None:
        if message.attempts > self._delivery_limit:
            queue.dead.append(DeadLetter(message.parcel, "delivery_limit"))
        else:
            queue.ready.appendleft(message)

    def _enqueue(self, queue: _Queue, message: _Message) -> None:
        if self._disturbance and self._happens("delay"):
            queue.delayed.append((queue.arrived + self._disturbance.patience, message))
        elif self._happens("reorder"):
            queue.ready.insert(self._random.randint(0, len(queue.ready)), message)
        else:
            queue.ready.append(message)

    def _next(self, queue: _Queue) -> _Message | None:
        if queue.delayed and (queue.delayed[0][0] <= queue.arrived or not queue.ready):
            return queue.delayed.popleft()[1]
        return queue.ready.popleft() if queue.ready else None

    def _happens(self, disturbance: str) -> bool:
        if self._disturbance is None:
            return False
        probability: float = getattr(self._disturbance, disturbance)
        return self._random.random() < probability


class MemoryEndpoint:
    """One party at a MemoryBroker; see `bus.endpoint.Endpoint`."""

    blocked: str | None = None
    last_error: BrokerError | None = None

    def __init__(self, broker: MemoryBroker, name: str) -> None:
        self.name = name
        self.closed = False
        self.connections = 1
        self.next_tag = 0
        self.unsettled: dict[int, _Message] = {}
        self._broker = broker
        self._listeners: list[Callable[[], None]] = []

    @property
    def connected(self) -> bool:
        return not self.closed

    def send(self, parcel: Parcel, settled: Settled) -> None:
        if self.closed:
            raise EndpointClosedError(f"the endpoint of {self.name} is closed")
        if parcel.sender != self.name:
            settled(Outcome.REFUSED)
        else:
            settled(self._broker.accept(parcel))

    def receive(self, timeout: float) -> Delivery | None:
        return self._broker.take(self, timeout)

    def when_delivered(self, tell: Callable[[], None]) -> None:
        self._listeners.append(tell)

    def tell(self) -> None:
        """There may be something to receive."""
        for tell in self._listeners:
            tell()

    def close(self) -> None:
        self._broker.give_back(self)


@dataclass(frozen=True)
class _Settlement:
    broker: MemoryBroker
    endpoint: MemoryEndpoint
    tag: int

    def acknowledge(self) -> None:
        self.broker.settle(self.endpoint, self.tag)

    def requeue(self) -> None:
        self.broker.settle(self.endpoint, self.tag, requeue=True)

    def reject(self, reason: str) -> None:
        self.broker.settle(self.endpoint, self.tag, reason=reason)
