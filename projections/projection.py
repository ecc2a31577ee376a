"""What a projection is: tables, and how each fact changes them (requirement D3)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from sqlalchemy import BigInteger, Connection, Integer, MetaData, Table

from events.catalogue import Fact
from events.event import Event

METADATA = MetaData()
WHOLE_NUMBER = BigInteger().with_variant(Integer, "sqlite")


class Payloads(Protocol):
    """What a projection asks of payloads: which are here, and what they say."""

    def has(self, commitment: str) -> bool: ...

    def read(self, commitment: str) -> bytes: ...


class Placed(NamedTuple):
    """A fact, and where it stands in the log."""

    position: int
    fact: Fact[Event]


Apply = Callable[[Connection, Sequence[Placed], Payloads], None]


@dataclass(frozen=True)
class Projection:
    """A view over the log. A change to `tables` or `apply` is a new `version`.

    `apply` gets every fact once, in order of position, some at a time, and reads nothing but the
    facts, their payloads and its own tables: so the same log always makes the same rows.
    """

    name: str
    version: int
    tables: tuple[Table, ...]
    apply: Apply


def storable(text: str) -> str:
    """Text of another party, without what would break a table or play tricks on a terminal."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "�" for character in text)
