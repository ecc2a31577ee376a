"""The numbered tables that a wide one is kept in, and their rows side by side (P6)."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count

import pyarrow as pa

from scoring.engines.engine import Engine
from scoring.errors import EngineError
from scoring.tables import Column, Table


def names_of(table: Table) -> list[str]:
    return [column.name for column in table.columns]


def split(table: Table, most_columns: int) -> tuple[Table, ...]:
    """The table itself, or NAME_1, NAME_2, … each with the key."""
    if len(table.columns) <= most_columns:
        return (table,)
    key = tuple(column for column in table.columns if column.name in table.key)
    others = [column for column in table.columns if column.name not in table.key]
    return tuple(
        Table(f"{table.name}_{number}", (*key, *columns), table.key)
        for number, columns in enumerate(_groups(others, most_columns - len(key)), start=1)
    )


def stored_parts(engine: Engine, name: str) -> list[tuple[str, tuple[Column, ...]]]:
    """The tables that hold a logical one, and their columns; none: it is not there."""
    if (columns := engine.columns(name)) is not None:
        return [(name, columns)]
    parts = []
    for number in count(1):
        columns = engine.columns(f"{name}_{number}")
        if columns is None:
            break
        parts.append((f"{name}_{number}", columns))
    return parts if len(parts) > 1 else []


def stored_columns(engine: Engine, name: str) -> tuple[Column, ...] | None:
    """Columns of a logical table, the key's once; None: there is no such table."""
    parts = stored_parts(engine, name)
    return tuple(dict.fromkeys(one for _, columns in parts for one in columns)) or None


def drop_stored(engine: Engine, name: str) -> None:
    """Whatever its parts are."""
    for part, _ in stored_parts(engine, name):
        engine.drop(part)


def side_by_side(
    streams: Sequence[Iterator[pa.RecordBatch]], key: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Rows of several streams in the same order of the same keys, as rows of all their columns.

    Raises EngineError where their keys differ.
    """
    if len(streams) == 1:
        yield from streams[0]
        return
    rests: list[pa.RecordBatch | None] = [None] * len(streams)
    while True:
        rests = [
            rest if rest is not None and rest.num_rows else next(stream, None)
            for rest, stream in zip(rests, streams, strict=True)
        ]
        pieces = [rest for rest in rests if rest is not None]
        if not pieces:
            return
        rows = min(piece.num_rows for piece in pieces)
        if len(pieces) < len(streams) or not _same_keys(pieces, key, rows):
            raise EngineError("the parts of a wide table changed while they were read: try again")
        columns = {
            name: piece.column(name).slice(0, rows)
            for piece in pieces
            for name in piece.schema.names
        }
        yield pa.record_batch(columns)
        rests = [piece.slice(rows) for piece in pieces]


def _same_keys(pieces: Sequence[pa.RecordBatch], key: Sequence[str], rows: int) -> bool:
    first, *others = ([piece.column(name).slice(0, rows) for name in key] for piece in pieces)
    return all(mine.equals(its) for other in others for mine, its in zip(first, other, strict=True))


def _groups(columns: Sequence[Column], size: int) -> Iterable[tuple[Column, ...]]:
    for start in range(0, len(columns), size):
        yield tuple(columns[start : start + size])
