"""What travels on the bus: an opaque parcel from one party to another."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Literal, get_args

from bus.errors import ParcelError

Kind = Literal["envelope", "chunk", "heads", "returned"]

MAXIMUM_BODY = 1024 * 1024
MAXIMUM_HEADERS = 32
MAXIMUM_HEADER_TEXT = 1024

_PARTY_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_HEADER_NAME = re.compile(r"(?!x-)[a-z][a-z0-9-]{0,63}")  # x- belongs to the broker


class Outcome(StrEnum):
    """How one send ended. Only CONFIRMED means that the broker has the parcel on disk."""

    CONFIRMED = "confirmed"
    UNROUTABLE = "unroutable"  # the recipient has no queue (yet)
    FULL = "full"  # the recipient's queue has reached its limit, or the broker cannot write
    REFUSED = "refused"  # the broker will never take it: no permission, or it is too large
    LOST = "lost"  # the connection went before the confirm: unknown, send again


@dataclass(frozen=True)
class Parcel:
    """One message, at most 1 MiB; headers are short strings and 64-bit integers.

    Raises ParcelError when a name, a header or the size is outside the limits.
    """

    sender: str
    recipient: str
    kind: Kind
    headers: Mapping[str, str | int]
    body: bytes = field(repr=False)

    def __post_init__(self) -> None:
        check_party_name(self.sender)
        check_party_name(self.recipient)
        if self.kind not in get_args(Kind):
            raise ParcelError(f"a parcel's kind is one of {get_args(Kind)}, not {self.kind!r}")
        if len(self.body) > MAXIMUM_BODY:
            raise ParcelError(
                f"a parcel holds at most {MAXIMUM_BODY} bytes, not {len(self.body)}: send chunks"
            )
        if len(self.headers) > MAXIMUM_HEADERS:
            raise ParcelError(f"a parcel has at most {MAXIMUM_HEADERS} headers")
        for name, value in self.headers.items():
            _check_header(name, value)
        object.__setattr__(self, "headers", MappingProxyType(dict(self.headers)))


@dataclass(frozen=True)
class DeadLetter:
    """A parcel that was set aside, and why."""

    parcel: Parcel
    reason: str


def check_party_name(name: str) -> None:
    """Raise ParcelError unless the name is lower-case letters, digits and dashes, at most 32."""
    if not _PARTY_NAME.fullmatch(name):
        raise ParcelError(f"{name!r} is no party name: it must match {_PARTY_NAME.pattern}")


def _check_header(name: str, value: str | int) -> None:
    if not _HEADER_NAME.fullmatch(name):
        raise ParcelError(f"{name!r} is no header name: it must match {_HEADER_NAME.pattern}")
    if isinstance(value, str):
        if len(value) > MAXIMUM_HEADER_TEXT:
            raise ParcelError(f"header {name!r} is longer than {MAXIMUM_HEADER_TEXT} characters")
    elif isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise ParcelError(f"header {name!r} must be text or a 64-bit integer")
