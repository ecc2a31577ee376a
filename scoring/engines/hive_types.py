"""Hive's types as the four that tables have."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import types

from scoring.errors import EngineError
from scoring.tables import Column, ColumnType

RESULT_TYPES = {
    "BOOLEAN_TYPE": ColumnType.INTEGER,
    "TINYINT_TYPE": ColumnType.INTEGER,
    "SMALLINT_TYPE": ColumnType.INTEGER,
    "INT_TYPE": ColumnType.INTEGER,
    "BIGINT_TYPE": ColumnType.INTEGER,
    "FLOAT_TYPE": ColumnType.NUMBER,
    "DOUBLE_TYPE": ColumnType.NUMBER,
    "DECIMAL_TYPE": ColumnType.NUMBER,
    "STRING_TYPE": ColumnType.TEXT,
    "VARCHAR_TYPE": ColumnType.TEXT,
    "CHAR_TYPE": ColumnType.TEXT,
    "TIMESTAMP_TYPE": ColumnType.TIME,
    "DATE_TYPE": ColumnType.TIME,
    "NULL_TYPE": ColumnType.NUMBER,
}
DECLARED = (
    (types.Boolean | types.Integer, ColumnType.INTEGER),
    (types.Numeric | types.Float, ColumnType.NUMBER),
    (types.Date | types.DateTime, ColumnType.TIME),
    (types.String, ColumnType.TEXT),
)


def declared_type(column: str, declared: types.TypeEngine[Any]) -> ColumnType:
    """Of a reflected column. Raises EngineError for an array, a map, …"""
    for kinds, type_ in DECLARED:
        if isinstance(declared, kinds):
            return type_
    raise EngineError(f"column {column} is of a type that is none of text, number and time")


def result_columns(description: Sequence[Sequence[Any]]) -> list[Column]:
    """Of a cursor's description; Hive writes a column of `*` as table.column."""
    columns = []
    for name, kind, *_ in description:
        if kind not in RESULT_TYPES:
            raise EngineError(f"column {name} is of type {kind}: cast it in the query")
        columns.append(Column(name.rpartition(".")[2], RESULT_TYPES[kind]))
    return columns


def with_times(values: Sequence[Any], column: Column) -> Sequence[Any]:
    """Dates come as text."""
    if column.type is not ColumnType.TIME:
        return values
    return [
        datetime.fromisoformat(value).replace(tzinfo=UTC) if isinstance(value, str) else value
        for value in values
    ]
