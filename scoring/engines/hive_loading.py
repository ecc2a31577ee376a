"""Rows on their way into Hive: few of them in the statement itself, more as a Parquet file."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from scoring.engines.arrow import arrow_schema
from scoring.engines.hive_literals import literal
from scoring.tables import Column, ColumnType

MOST_CELLS = 4_000  # in one statement; a row of 3,000 weights is one


def few_rows(
    batches: Iterable[pa.RecordBatch],
) -> tuple[list[pa.RecordBatch], Iterator[pa.RecordBatch]]:
    """What fits in one statement, and the rest; if there is a rest, both are to be one file."""
    remaining = iter(batches)
    first: list[pa.RecordBatch] = []
    cells = 0
    for batch in remaining:
        cells += batch.num_rows * batch.num_columns
        if cells > MOST_CELLS:
            return first, _chain(batch, remaining)
        first.append(batch)
    return first, iter(())


def pieces(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in batches that fit in one statement each."""
    for batch in batches:
        rows = max(1, MOST_CELLS // batch.num_columns)
        for start in range(0, batch.num_rows, rows):
            yield batch.slice(start, rows)


def rows_as_query(columns: Sequence[Column], batches: Iterable[pa.RecordBatch]) -> str:
    """SELECT of the rows themselves. Hive's VALUES would take bare literals only."""
    rows = [
        ", ".join(_typed(value, column.type) for value, column in zip(row, columns, strict=True))
        for batch in batches
        for row in zip(*(array.to_pylist() for array in batch.columns), strict=True)
    ]
    if len(rows) == 1:
        return f"SELECT {rows[0]}"
    return f"SELECT INLINE(ARRAY({', '.join(f'STRUCT({row})' for row in rows)}))"


def write_parquet(
    folder: Path, columns: Iterable[Column], batches: Iterable[pa.RecordBatch]
) -> int:
    """One file in a new folder, on disk when this returns; tells how many rows.

    Times are INT96: the only ones that Hive 2.3 reads.
    """
    folder.mkdir(parents=True)
    file = folder / "rows.parquet"
    rows = 0
    with pq.ParquetWriter(
        file, arrow_schema(columns), use_deprecated_int96_timestamps=True
    ) as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    with file.open("rb") as written:
        os.fsync(written.fileno())
    return rows


def _typed(value: object, type_: ColumnType) -> str:
    kinds = {
        ColumnType.TEXT: "STRING",
        ColumnType.INTEGER: "BIGINT",
        ColumnType.NUMBER: "DOUBLE",
        ColumnType.TIME: "TIMESTAMP",
    }
    return f"CAST(NULL AS {kinds[type_]})" if value is None else literal(value)


def _chain(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from rest
