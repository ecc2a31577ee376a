"""What model documents of all kinds share when they become rows of tables."""

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from scoring.models.document import ModelDocument
from scoring.tables import Column, ColumnType, Table

Row = tuple[str | int | float | None, ...]
Filled = tuple[Table, Sequence[Row]]
Rows = Sequence[Sequence[Any]]
# All rows of one document in a table, in the order of its key.
Fetch = Callable[[Table], Rows]
# What a document says whatever its kind, by field.
Head = dict[str, Any]

# Which document a row is of: the SHA-256 of its JSON.
CONTENT = Column("content", ColumnType.TEXT)
# What a document says beside its numbers, as JSON in pieces that any engine takes.
FRAMES = Table(
    "model_frames",
    (CONTENT, Column("piece", ColumnType.INTEGER), Column("json", ColumnType.TEXT)),
    key=("content", "piece"),
)
PIECE = 4096

ARROW = {
    ColumnType.TEXT: pa.string(),
    ColumnType.INTEGER: pa.int64(),
    ColumnType.NUMBER: pa.float64(),
    ColumnType.TIME: pa.timestamp("us", tz="UTC"),
}


def batch(table: Table, rows: Sequence[Sequence[object]]) -> pa.RecordBatch:
    """Rows of Python values, in the table's columns and types."""
    values = zip(*rows, strict=True) if rows else ([] for _ in table.columns)
    arrays = [
        pa.array(column_values, ARROW[column.type])
        for column, column_values in zip(table.columns, values, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, names=[column.name for column in table.columns])


def frame_rows(frame: ModelDocument, content: str) -> Filled:
    text = frame.model_dump_json()
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
    return FRAMES, [(content, place, piece) for place, piece in enumerate(pieces)]


def read_frame(fetch: Fetch) -> str:
    return "".join(row[2] for row in fetch(FRAMES))
