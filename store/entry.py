"""What the log gives back: entries, the heads of streams, deliveries, held envelopes, refusals."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from pydantic import JsonValue

from events.envelope import Envelope

LARGEST_REMEMBERED = 8 * 1024  # bytes of an envelope


@dataclass(frozen=True)
class Entry:
    """One event of the log: where it stands, and the bytes its issuer signed."""

    position: int
    canonical: bytes

    @cached_property
    def envelope(self) -> Envelope:
        """Parsed when asked for; the bytes were checked before they were appended."""
        if len(self.canonical) > LARGEST_REMEMBERED:
            return Envelope.model_validate_json(self.canonical)
        return _parsed(self.canonical)


@lru_cache(maxsize=256)
def _parsed(canonical: bytes) -> Envelope:
    """Every pump of a process asks for what was appended last."""
    return Envelope.model_validate_json(canonical)


@dataclass(frozen=True)
class Place:
    """Where an event stands, in the log and in its stream, without its content."""

    position: int
    source: str
    stream: str
    sequence: int
    type: str


@dataclass(frozen=True)
class StreamHead:
    """The newest event of a stream: what the next one follows."""

    sequence: int
    digest: str
    time: str


@dataclass(frozen=True)
class Delivery:
    """An event that a recipient has not confirmed yet; `attempts` counts the failed ones."""

    entry: Entry
    recipient: str
    attempts: int
    reason: str | None

    @property
    def position(self) -> int:
        return self.entry.position


@dataclass(frozen=True)
class Undelivered:
    """How many events a recipient has not confirmed, by state and last reason."""

    recipient: str
    state: str
    reason: str
    events: int
    first_position: int


@dataclass(frozen=True)
class HeldEnvelope:
    """A verified envelope that waits for the one before it, or for a payload."""

    sender: str
    canonical: bytes
    transport: Mapping[str, JsonValue]
    received_at: str

    @cached_property
    def envelope(self) -> Envelope:
        return Envelope.model_validate_json(self.canonical)


@dataclass(frozen=True)
class Refusal:
    """How often a sender's messages were refused for one reason."""

    sender: str
    reason: str
    type: str
    count: int
    first_time: str
    last_time: str
