"""A table of all four types, rows for it, and what an engine has of them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from sqlglot import exp

from scoring.engines.arrow import ARROW_TYPES
from scoring.engines.engine import Engine
from scoring.engines.statements import name_of
from scoring.tables import Column, ColumnType, Table

SAMPLES = Table(
    "samples",
    (
        Column("sample_id", ColumnType.TEXT),
        Column("visits", ColumnType.INTEGER),
        Column("balance", ColumnType.NUMBER),
        Column("seen", ColumnType.TIME),
    ),
    ("sample_id",),
)
NOON = datetime(2024, 2, 29, 12, 0, 0, 1, tzinfo=UTC)


def batch(rows: Sequence[Sequence[Any]], table: Table = SAMPLES) -> pa.RecordBatch:
    values = zip(*rows, strict=True) if rows else ([] for _ in table.columns)
    arrays = [
        pa.array(list(column_values), ARROW_TYPES[column.type])
        for column, column_values in zip(table.columns, values, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, [column.name for column in table.columns])


def sample(name: str, visits: int = 1, balance: float | None = 0.5) -> tuple[Any, ...]:
    return (name, visits, balance, NOON)


def all_of(table: Table) -> exp.Select:
    columns = [exp.column(column.name, quoted=True) for column in table.columns]
    return exp.select(*columns).from_(name_of(table.name))


def content(engine: Engine, table: Table = SAMPLES) -> list[tuple[Any, ...]]:
    return sorted(tuple(row) for row in engine.rows(all_of(table)))


def streamed(batches: Iterable[pa.RecordBatch]) -> list[tuple[Any, ...]]:
    return [
        row
        for found in batches
        for row in zip(*(column.to_pylist() for column in found.columns), strict=True)
    ]
