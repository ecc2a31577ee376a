"""Garbage by the thousand, by somebody with a login at the broker: its own, or everybody's.

Malformed and oversized messages, false signatures, events of jobs that nobody asked for, statements
of heads and chunks that are none, and genuine messages of earlier jobs once more.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, product
from multiprocessing import get_context
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from random import Random
from typing import Self

import pika
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from bus.topology import EXCHANGE
from events.envelope import Envelope, event_id
from store.entry import Entry

ATTACKER = "mallory"
SLICE_SECONDS = 0.02
LARGEST = 2 * 1024 * 1024  # what the broker takes at most
OVERSIZED_EVERY = 500  # messages
HEX = "ab" * 32


@dataclass(frozen=True)
class Garbage:
    """One message: what it claims to be, from whom, and its bytes."""

    sender: str
    kind: str
    body: bytes
    headers: Mapping[str, str | int] = field(default_factory=dict)


def garbage(genuine: Sequence[Entry], senders: Sequence[str], seed: int = 1) -> list[Garbage]:
    """Some of each kind, by the attacker in its own name and in the names of `senders`."""
    random = Random(seed)
    made = []
    for sender in (ATTACKER, *senders):
        made += [Garbage(sender, "envelope", random.randbytes(300)) for _ in range(3)]
        made.append(Garbage(sender, "envelope", b"{" * 60_000))
        made.append(Garbage(sender, "heads", random.randbytes(400)))
        made.append(Garbage(sender, "chunk", random.randbytes(400), {"event": HEX, "chunk": -1}))
        made.append(Garbage(sender, "nonsense", b""))
    key = Ed25519PrivateKey.from_private_bytes(random.randbytes(32))
    for entry in genuine:
        envelope = entry.envelope
        made.append(Garbage(envelope.source, "envelope", entry.canonical))  # a replay
        later = envelope.model_copy(update={"time": "2999-01-01T00:00:00.000000Z"})
        made.append(Garbage(envelope.source, "envelope", later.canonical_bytes()))
        made.append(_of_a_foreign_job(envelope, ATTACKER, key))
        made.append(_of_a_foreign_job(envelope, envelope.source, key))
    random.shuffle(made)
    return made


def _of_a_foreign_job(envelope: Envelope, sender: str, key: Ed25519PrivateKey) -> Garbage:
    place = {"source": sender, "stream": "foreign", "sequence": 0, "previous": None}
    changed = envelope.model_copy(update={**place, "id": event_id(sender, "foreign", 0)})
    return Garbage(sender, "envelope", changed.signed_with(key).canonical_bytes())


class Flood:
    """Sends garbage at a rate from a process of its own; a context manager."""

    def __init__(
        self, urls: Mapping[str, str], recipients: Sequence[str], made: Sequence[Garbage], rate: int
    ) -> None:
        """`urls` has the attacker's own login, and under "" the one that may publish as all."""
        context = get_context("spawn")
        self._sent = context.Value("q", 0)
        self._leave = context.Event()
        sending = (dict(urls), tuple(recipients), tuple(made), rate, self._leave, self._sent)
        self._process = context.Process(target=send, args=sending)
        self._began = self._ended = 0.0

    @property
    def sent(self) -> int:
        return int(self._sent.value)

    @property
    def rate(self) -> float:
        """Messages a second, as they were sent."""
        return self.sent / ((self._ended or time.monotonic()) - self._began)

    def __enter__(self) -> Self:
        self._process.start()
        while not self.sent:  # it first imports what it needs
            time.sleep(SLICE_SECONDS)
        self._began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = time.monotonic()
        self._leave.set()
        self._process.join()


def send(
    urls: Mapping[str, str],
    recipients: Sequence[str],
    made: Sequence[Garbage],
    rate: int,
    leave: Event,
    sent: "Synchronized[int]",
) -> None:
    """The process."""
    channels: dict[str, BlockingChannel] = {}
    messages = cycle(product(made, recipients))
    big = Garbage(ATTACKER, "envelope", bytes(LARGEST))
    began = time.monotonic()
    while not leave.wait(SLICE_SECONDS):
        for _ in range(int((time.monotonic() - began) * rate) - sent.value):
            message, recipient = next(messages)
            sent.value += 1
            if sent.value % OVERSIZED_EVERY == 0:
                message = big
            login = ATTACKER if message.sender == ATTACKER else ""
            try:
                if login not in channels:
                    connection = pika.BlockingConnection(pika.URLParameters(urls[login]))
                    channels[login] = connection.channel()
                _publish(channels[login], recipient, message)
            except AMQPError:  # an attacker who was thrown out comes again
                channels.pop(login, None)
    for channel in channels.values():
        channel.connection.close()


def _publish(channel: BlockingChannel, recipient: str, message: Garbage) -> None:
    properties = pika.BasicProperties(type=message.kind, headers=dict(message.headers))
    channel.basic_publish(EXCHANGE, f"{message.sender}.{recipient}", message.body, properties)
