"""SQLite has values with types and columns with leanings: from those to columns of one type."""

import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from scoring.engines.engine import Value
from scoring.engines.rendering import render
from scoring.engines.statements import name_of, with_values
from scoring.errors import EngineError
from scoring.tables import Column, ColumnType

AFFINITIES = {"INT": ColumnType.INTEGER, "REAL": ColumnType.NUMBER, "TEXT": ColumnType.TEXT}
DECLARED = {
    "INTEGER": ColumnType.INTEGER,
    "REAL": ColumnType.NUMBER,
    "TEXT": ColumnType.TEXT,
    "TIMESTAMP": ColumnType.TIME,
}
TIME_FORMAT = "%Y-%m-%d %H:%M:%S.%f"  # so that the order of texts is that of times
SHAPE = "tally_shape"
SMALLEST, LARGEST = -(2**63), 2**63 - 1


class ColumnReader:
    """Values of one column of a result; what SQLite cannot tell is settled by the first batch."""

    def __init__(self, name: str, affinity: str) -> None:
        self.name = name
        self.may_be_time = affinity == "NUM"
        self._type = AFFINITIES.get(affinity)

    @property
    def column(self) -> Column:
        return Column(self.name, self._type or ColumnType.NUMBER)

    def read(self, values: Sequence[Value]) -> Sequence[Value]:
        if self._type is None:
            self._type = _type_of(values, may_be_time=self.may_be_time)
        if self._type is ColumnType.TIME:
            return [self.time_of(value) for value in values]
        fitting = {ColumnType.TEXT: (str,), ColumnType.INTEGER: (int,)}.get(
            self._type, (int, float)
        )
        if not all(value is None or isinstance(value, fitting) for value in values):
            raise EngineError(
                f"column {self.name} has values that are no {self._type}: cast it in the query"
            )
        return values

    def time_of(self, value: Value) -> Value:
        """The time that a text says; anything else as it is."""
        if not isinstance(value, str):
            return value
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            raise EngineError(f"column {self.name}: a text is no time") from None
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def declared_columns(connection: sqlite3.Connection, name: str) -> tuple[Column, ...] | None:
    """Columns of a table or view. Raises EngineError for one of no such type."""
    found = connection.execute("SELECT name, type FROM pragma_table_info(?)", (name,)).fetchall()
    for column, declared in found:
        if declared.upper() not in DECLARED:
            raise EngineError(
                f"column {column} of {name} is declared {declared or 'without a type'}; "
                f"known are {', '.join(DECLARED)}"
            )
    return tuple(Column(column, DECLARED[kind.upper()]) for column, kind in found) or None


def result_affinities(connection: sqlite3.Connection, query: exp.Query) -> list[tuple[str, str]]:
    """Name and affinity of each column of a query: INT, REAL, TEXT, NUM, or nothing."""
    bound = with_values(query, {mark.name: exp.Null() for mark in query.find_all(exp.Placeholder)})
    empty = exp.select("*").from_(bound.subquery("shaped")).limit(0)
    shape = exp.Create(
        this=name_of(SHAPE),
        kind="TABLE",
        expression=empty,
        properties=exp.Properties(expressions=[exp.TemporaryProperty()]),
    )
    connection.execute(render(shape, "sqlite"))
    try:
        names = [column[0] for column in connection.execute(render(empty, "sqlite")).description]
        found = connection.execute("SELECT type FROM pragma_table_info(?)", (SHAPE,)).fetchall()
    finally:
        connection.execute(f"DROP TABLE temp.{SHAPE}")
    return [(name, affinity) for name, (affinity,) in zip(names, found, strict=True)]


def storable(array: pa.Array) -> list[object]:
    """A column of a batch as SQLite keeps it."""
    if pa.types.is_timestamp(array.type):
        array = pc.strftime(array, format="%Y-%m-%d %H:%M:%S")  # and the microseconds
    values: list[object] = array.to_pylist()
    return values


def bindable(parameters: Mapping[str, Value]) -> dict[str, object]:
    return {name: _bindable(name, value) for name, value in parameters.items()}


def _bindable(name: str, value: Value) -> object:
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, datetime):
        naive = value if value.tzinfo is None else value.astimezone(UTC)
        return naive.strftime(TIME_FORMAT)
    if isinstance(value, int) and not SMALLEST <= value <= LARGEST:
        raise EngineError(f"the parameter {name} does not fit in 64 bits")
    return value


def _type_of(values: Iterable[object], *, may_be_time: bool) -> ColumnType:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {str}:
        return ColumnType.TIME if may_be_time else ColumnType.TEXT
    return ColumnType.INTEGER if kinds == {int} else ColumnType.NUMBER
