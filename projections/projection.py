"""What a projection is: tables, and how each fact changes them (requirement D3)."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import BigInteger, Connection, Integer, MetaData, Table

from events.catalogue import Fact
from events.event import Event
from store import PayloadStore

METADATA = MetaData()
WHOLE_NUMBER = BigInteger().with_variant(Integer, "sqlite")

Apply = Callable[[Connection, int, Fact[Event], PayloadStore], None]


@dataclass(frozen=True)
class Projection:
    """A view over the log. A change to `tables` or `apply` is a new `version`.

    `apply` gets every fact once, in order of position, and reads nothing but the fact, its payload
    and its own tables: so the same log always makes the same rows.
    """

    name: str
    version: int
    tables: tuple[Table, ...]
    apply: Apply


def storable(text: str) -> str:
    """Text of another party, without what would break a table or play tricks on a terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)
