"""Tables as every engine has them: named columns of few types, and a key."""

import re
from dataclasses import dataclass
from enum import StrEnum

from scoring.errors import ScoringError

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class ColumnType(StrEnum):
    TEXT = "text"
    INTEGER = "integer"  # 64 bits
    NUMBER = "number"  # double precision
    TIME = "time"  # UTC, microseconds


@dataclass(frozen=True)
class Column:
    name: str
    type: ColumnType


@dataclass(frozen=True)
class Table:
    """`key` columns tell rows apart; engines that have indexes get one on them.

    Names are lower-case letters, digits and underscores: the one spelling all engines agree on.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        for name in (self.name, *names):
            if not NAME.fullmatch(name):
                raise ScoringError(f"{name!r} cannot name a table or a column on every engine")
        if len(set(names)) != len(names) or not set(self.key) <= set(names) or not self.key:
            raise ScoringError(f"the columns of {self.name} repeat, or lack its key")
