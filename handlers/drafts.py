"""What a handler decides: drafts of events, and work that needs the outside world."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from events.event import Event
from events.terms import Agreement
from events.vocabulary import PRIVATE_STREAM

WorkKind = Literal["snapshot", "key", "intersections", "convert", "score", "identify", "recall"]


@dataclass(frozen=True)
class Payload:
    """A vector to be stored beside the event; `readers` besides the issuer may open it."""

    name: str
    kind: str
    shape: tuple[int, ...]
    content: bytes
    readers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Draft:
    """An event that is decided but not yet in the log."""

    event: Event
    job: str
    payloads: tuple[Payload, ...] = ()

    @property
    def stream(self) -> str:
        return PRIVATE_STREAM if self.event.PRIVATE else self.job


@dataclass(frozen=True)
class Work:
    """Something a handler may not do itself; its outcome enters the log as an event."""

    kind: WorkKind
    job: str


Decision = Sequence[Draft | Work]


def draft(event: Event, job: str, terms: Agreement, *payloads: Payload, issuer: str = "") -> Draft:
    """A draft whose payloads go to every member that the event's rules name, but the issuer."""
    addressed, rules = [], event.rules()
    for payload in payloads:
        rule = rules[payload.name]
        readers = payload.readers or set(terms.readers(rule)) - {issuer}
        addressed.append(
            Payload(payload.name, rule.kind, payload.shape, payload.content, tuple(sorted(readers)))
        )
    return Draft(event, job, tuple(addressed))


def vector(name: str, array: NDArray[np.generic], readers: tuple[str, ...] = ()) -> Payload:
    """An array as a payload: little-endian, C order."""
    ordered = np.ascontiguousarray(array)
    little = ordered.astype(ordered.dtype.newbyteorder("<"), copy=False)
    return Payload(name, array.dtype.name, array.shape, little.tobytes(), readers)


def blob(name: str, content: bytes, *shape: int, readers: tuple[str, ...] = ()) -> Payload:
    return Payload(name, "", shape or (len(content),), content, readers)
