"""Bringing raw rows from a file or another database into the engines (requirements S4, S6)."""

import datetime as dt
from collections.abc import Iterable, Sequence

import pyarrow as pa
from sqlglot import exp

from scoring.engines.arrow import arrow_schema
from scoring.engines.engine import Engine
from scoring.errors import MissingTableError
from scoring.features import column
from scoring.samples import Samples
from scoring.table_parts import stored_columns
from scoring.tables import Column, ColumnType, Table
from scoring.wide_tables import WideTable

LOADS = Table(
    "raw_loads",
    (
        Column("kind", ColumnType.TEXT),
        Column("fingerprint", ColumnType.TEXT),
        Column("loaded_at", ColumnType.TIME),
    ),
    ("kind",),
)


def load_raw(samples: Samples) -> bool:
    """Make both engines' raw tables as the source is now; False: they are, or have no source.

    Each table is swapped whole.
    """
    if samples.source is None:
        return False
    fingerprint = samples.source.fingerprint()
    if fingerprint is not None and loaded_fingerprint(samples) == fingerprint:
        return False
    for engine in (samples.batch, samples.lookup):
        table, batches = samples.source.read()
        replace_rows(engine, Table(samples.raw, table.columns, table.key), batches)
    now = pa.scalar(dt.datetime.now(dt.UTC))
    row = {"kind": [samples.name], "fingerprint": [fingerprint or ""], "loaded_at": [now.as_py()]}
    samples.lookup.ensure(LOADS)
    samples.lookup.merge(LOADS, [pa.record_batch(row, schema=arrow_schema(LOADS.columns))])
    return True


def load_some(samples: Samples, ids: Sequence[str]) -> None:
    """Bring the raw rows of a few ids into the look-up engine, where its copy may be old."""
    if samples.source is None or not is_outdated(samples):
        return
    kept = {one.name: one.type for one in stored_columns(samples.lookup, samples.raw) or ()}
    table, batches = samples.source.read(ids, kept or None)
    table = Table(samples.raw, table.columns, table.key)
    WideTable(samples.lookup, table).ensure_anew().merge(batches)


def is_outdated(samples: Samples) -> bool:
    """Whether the look-up engine's copy of the raw rows may differ from the source."""
    if samples.source is None:
        return False
    fingerprint = samples.source.fingerprint()
    return fingerprint is None or loaded_fingerprint(samples) != fingerprint


def loaded_fingerprint(samples: Samples) -> str | None:
    """Of the raw rows in the look-up engine; another process may have loaded them."""
    try:
        found = samples.look_up("loads", _loads_of_kind)({"kind": samples.name})
    except MissingTableError:
        return None
    return str(found[0][0]) if found else None


def _loads_of_kind() -> exp.Query:
    query = exp.select(column("fingerprint")).from_(exp.table_(LOADS.name, quoted=True))
    return query.where(exp.EQ(this=column("kind"), expression=exp.Placeholder(this="kind")))


def replace_rows(engine: Engine, table: Table, batches: Iterable[pa.RecordBatch]) -> int:
    """Swap the content of a table for these rows; readers see the old or the new.

    What is loaded can be had again: a table of other columns gives way.
    """
    return WideTable(engine, table).ensure_anew().replace(batches)
