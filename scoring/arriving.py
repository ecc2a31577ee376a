"""Raw samples as they arrive become features at once (requirements S4, S6).

A batch goes into the look-up engine first, where it can be scored from then on; the batch engine,
which may be busy, gets what is pending every few seconds. Both run the extraction of `features_of`.
"""

import datetime as dt
import time
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
from sqlglot import exp

from scoring.digests import FeatureDigest
from scoring.engines.arrow import batch_of_columns
from scoring.engines.engine import Prepared, Value
from scoring.errors import ExtractionError
from scoring.features import OBSERVED_AT, SAMPLE_ID, column, column_name
from scoring.raw_samples import RawRow, newest_rows, parse_sample
from scoring.sample_features import (
    features_of,
    features_table,
    look_at,
    raw_table,
    stream_features,
)
from scoring.samples import Samples
from scoring.table_parts import names_of, side_by_side, split, stored_columns
from scoring.tables import Column, ColumnType, Table
from scoring.wide_tables import WideTable, stored_table

ARRIVED = "arrived"
ID = "id"
AT_ONCE = 500


class Arrivals:
    """Takes raw samples into both engines; one thread."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self.table = self._raw_table()
        arrived = Column(ARRIVED, ColumnType.INTEGER)
        pending = Table(f"pending_{samples.name}", (*self.table.columns, arrived), self.table.key)
        self._features: WideTable | None = None
        self._look_ups: list[tuple[Table, Prepared]] = []
        self._seen: Prepared | None = None
        self.digest = FeatureDigest()
        self._raw = stored_table(samples.lookup, self.table).ensure()
        self._pending = WideTable(samples.lookup, pending).ensure()

    def parse(self, body: bytes) -> RawRow:
        """Raises RawSampleError."""
        return parse_sample(body, self.table)

    def take(self, rows: Sequence[RawRow]) -> int:
        """Rows become features that can be looked up; committed when this returns."""
        rows = newest_rows(rows, self.table, self._observed, self._known(rows))
        if not rows:
            return 0
        now = time.time_ns()
        self._pending.merge([_batch(self._pending.table, [(*row, now) for row in rows])])
        self._raw.merge([_batch(self.table, rows)])
        if self._features is None:
            self._features = WideTable(self._samples.lookup, self._prepared()).ensure()
        key = [one.name for one in self.table.columns].index(self.table.key[0])
        batch = self._extracted(self._features.table, [row[key] for row in rows])
        self._features.merge([batch])
        self.digest.add(batch)
        return len(rows)

    def _extracted(self, table: Table, ids: Sequence[Value]) -> pa.RecordBatch:
        """The features of raw rows that are in the look-up engine now."""
        pieces = [
            _batch(part, [row for one in ids for row in look_up({ID: one})])
            for part, look_up in self._look_ups
        ]
        return next(side_by_side([iter([piece]) for piece in pieces], table.key))

    def settle(self) -> int:
        """Bring what is pending into the batch engine, and tell how much that was."""
        return settle(self._samples)

    def _raw_table(self) -> Table:
        samples, kind = self._samples, self._samples.kind
        for engine in (samples.lookup, samples.batch):
            if stored_columns(engine, samples.raw) is not None:
                return raw_table(samples, engine)
        if not kind.columns or kind.id is None:
            raise ExtractionError(
                f"there is no table {samples.raw} of raw samples: name its columns and id under "
                f"[samples.{samples.name}], or run `tally features refresh` first"
            )
        columns = tuple(Column(column_name(name), type_) for name, type_ in kind.columns.items())
        return Table(samples.raw, columns, (column_name(kind.id),))

    @property
    def _observed(self) -> str | None:
        """The raw column that tells when a row was observed."""
        names = {one.name for one in self.table.columns}
        own = self._samples.kind.observed
        if OBSERVED_AT in names:
            return OBSERVED_AT
        return column_name(own) if own is not None and column_name(own) in names else None

    def _known(self, rows: Sequence[RawRow]) -> Mapping[str, dt.datetime]:
        """When the rows that are there already were observed."""
        if self._observed is None:
            return {}
        if self._seen is None:
            wanted = exp.EQ(this=column(self.table.key[0]), expression=exp.Placeholder(this=ID))
            seen = self._raw.in_order([self._observed], wanted)
            self._seen = self._samples.lookup.prepare(seen)
        key = [one.name for one in self.table.columns].index(self.table.key[0])
        known = {}
        for row in rows:
            for (time_,) in self._seen({ID: row[key]}):
                if isinstance(time_, dt.datetime):
                    known[str(row[key])] = time_
        return known

    def _prepared(self) -> Table:
        """Once there is a row to see what the extraction yields."""
        samples, lookup = self._samples, self._samples.lookup
        extracted = look_at(samples, lookup)
        table = features_table(samples, extracted)
        wanted = exp.EQ(this=column(SAMPLE_ID), expression=exp.Placeholder(this=ID))
        for part in split(table, lookup.most_columns):
            names = names_of(part)
            features = features_of(samples, lookup, extracted, wanted, names)
            own = features.subquery("features", copy=False)
            chosen = exp.select(*map(column, names), copy=False).from_(own, copy=False)
            self._look_ups.append((part, lookup.prepare(chosen)))
        return table


def pending_table(samples: Samples) -> WideTable | None:
    """Raw samples that the batch engine has not got yet; None: none ever came."""
    name = f"pending_{samples.name}"
    columns = stored_columns(samples.lookup, name)
    if columns is None:
        return None
    names = {one.name for one in columns}
    key = SAMPLE_ID if SAMPLE_ID in names else column_name(samples.kind.id or "")
    return stored_table(samples.lookup, Table(name, columns, (key,)))


def settle(samples: Samples) -> int:
    """Bring what arrived into the batch engine: raw rows, then their features; tells how many.

    Twice changes nothing. What arrives meanwhile stays pending.
    """
    pending = pending_table(samples)
    if pending is None:
        return 0
    lookup = samples.lookup
    [(last,)] = lookup.rows(pending.select([exp.Max(this=column(ARRIVED))]))
    if last is None:
        return 0
    until = exp.LTE(this=column(ARRIVED), expression=exp.Literal.number(str(last)))
    every = pending.table
    raw = Table(samples.raw, tuple(one for one in every.columns if one.name != ARRIVED), every.key)
    count = (
        stored_table(samples.batch, raw)
        .ensure()
        .merge(batch.select(names_of(raw)) for batch in pending.stream(until))
    )
    _refresh_settled(samples, pending.relation([], until))
    pending.replace_query(lambda names: pending.in_order(names, exp.Not(this=until.copy())))
    return count


def _refresh_settled(samples: Samples, ids: exp.Select) -> None:
    """The features of settled rows, in both engines: a refresh may have run in between."""
    extracted = look_at(samples, samples.batch)
    table = features_table(samples, extracted)
    kept = [WideTable(engine, table).ensure() for engine in (samples.batch, samples.lookup)]
    found = [
        str(one) for batch in samples.lookup.stream(ids) for one in batch.column(0).to_pylist()
    ]
    for start in range(0, len(found), AT_ONCE):
        some = [exp.Literal.string(str(one)) for one in found[start : start + AT_ONCE]]
        wanted = exp.In(this=column(SAMPLE_ID), expressions=some)
        batches = list(stream_features(samples, samples.batch, extracted, wanted))
        for one in kept:
            one.merge(batches)


def _batch(table: Table, rows: Iterable[Sequence[object]]) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True)) or [()] * len(table.columns)
    return batch_of_columns(table.columns, columns, table.name)
