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
from scoring.tables import Column, ColumnType, Table

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

    Each table is swapped whole. An engine that takes no table so wide goes without.
    """
    if samples.source is None:
        return False
    fingerprint = samples.source.fingerprint()
    if fingerprint is not None and loaded_fingerprint(samples) == fingerprint:
        return False
    for engine in (samples.batch, samples.lookup):
        table, batches = samples.source.read()
        table = Table(samples.raw, table.columns, table.key)
        if len(table.columns) <= engine.most_columns:
            replace_rows(engine, table, batches)
    now = pa.scalar(dt.datetime.now(dt.UTC))
    row = {"kind": [samples.name], "fingerprint": [fingerprint or ""], "loaded_at": [now.as_py()]}
    samples.lookup.ensure(LOADS)
    samples.lookup.merge(LOADS, [pa.record_batch(row, schema=arrow_schema(LOADS.columns))])
    return True


def load_some(samples: Samples, ids: Sequence[str]) -> None:
    """Bring the raw rows of a few ids into the look-up engine, where its copy may be old."""
    if samples.source is None or not is_outdated(samples):
        return
    kept = {one.name: one.type for one in samples.lookup.columns(samples.raw) or ()}
    table, batches = samples.source.read(ids, kept or None)
    table = Table(samples.raw, table.columns, table.key)
    _make_room(samples.lookup, table)
    samples.lookup.merge(table, batches)


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
    """Swap the content of a table for these rows; readers see the old or the new."""
    _make_room(engine, table)
    place = exp.table_(table.name, quoted=True)
    if not engine.rows(exp.select(column(table.key[0])).from_(place).limit(1)):
        return engine.append(table, batches)
    incoming = Table(f"{table.name[:50]}_incoming", table.columns, table.key)
    engine.drop(incoming.name)
    engine.ensure(incoming)
    rows = engine.append(incoming, batches)
    names = [column(one.name) for one in table.columns]
    source = exp.table_(incoming.name, quoted=True)
    engine.replace_query(table, exp.select(*names, copy=False).from_(source))
    engine.drop(incoming.name)
    return rows


def _make_room(engine: Engine, table: Table) -> None:
    """Raw rows can be had again: a table of other columns gives way."""
    if (found := engine.columns(table.name)) is not None and set(found) != set(table.columns):
        engine.drop(table.name)
    engine.ensure(table)
