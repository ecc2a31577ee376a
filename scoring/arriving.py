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
)
from scoring.samples import Samples
from scoring.tables import Column, ColumnType, Table

ARRIVED = "arrived"
ID = "id"
AT_ONCE = 500


class Arrivals:
    """Takes raw samples into both engines; one thread."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self.table = self._raw_table()
        arrived = Column(ARRIVED, ColumnType.INTEGER)
        pending = f"pending_{samples.name}"
        self._pending = Table(pending, (*self.table.columns, arrived), self.table.key)
        self._features: Table | None = None
        self._look_up: Prepared | None = None
        self._seen: Prepared | None = None
        self.digest = FeatureDigest()
        samples.lookup.ensure(self.table)
        samples.lookup.ensure(self._pending)

    def parse(self, body: bytes) -> RawRow:
        """Raises RawSampleError."""
        return parse_sample(body, self.table)

    def take(self, rows: Sequence[RawRow]) -> int:
        """Rows become features that can be looked up; committed when this returns."""
        lookup = self._samples.lookup
        rows = newest_rows(rows, self.table, self._observed, self._known(rows))
        if not rows:
            return 0
        now = time.time_ns()
        lookup.merge(self._pending, [_batch(self._pending, [(*row, now) for row in rows])])
        lookup.merge(self.table, [_batch(self.table, rows)])
        if self._features is None:
            self._features = self._prepared()
        key = [one.name for one in self.table.columns].index(self.table.key[0])
        batch = self._extracted(self._features, [row[key] for row in rows])
        lookup.merge(self._features, [batch])
        self.digest.add(batch)
        return len(rows)

    def _extracted(self, table: Table, ids: Sequence[Value]) -> pa.RecordBatch:
        """The features of raw rows that are in the look-up engine now."""
        assert self._look_up is not None  # noqa: S101
        return _batch(table, [row for one in ids for row in self._look_up({ID: one})])

    def settle(self) -> int:
        """Bring what is pending into the batch engine, and tell how much that was."""
        return settle(self._samples)

    def _raw_table(self) -> Table:
        samples, kind = self._samples, self._samples.kind
        for engine in (samples.lookup, samples.batch):
            if engine.columns(samples.raw) is not None:
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
            seen = exp.select(column(self._observed)).from_(
                exp.table_(self.table.name, quoted=True)
            )
            self._seen = self._samples.lookup.prepare(seen.where(wanted))
        key = [one.name for one in self.table.columns].index(self.table.key[0])
        known = {}
        for row in rows:
            for (time_,) in self._seen({ID: row[key]}):
                if isinstance(time_, dt.datetime):
                    known[str(row[key])] = time_
        return known

    def _prepared(self) -> Table:
        """Once there is a row to see what the extraction yields."""
        samples = self._samples
        extracted = look_at(samples, samples.lookup)
        table = features_table(samples, extracted)
        samples.lookup.ensure(table)
        wanted = exp.EQ(this=column(SAMPLE_ID), expression=exp.Placeholder(this=ID))
        query = features_of(samples, samples.lookup, extracted, wanted)
        self._look_up = samples.lookup.prepare(query)
        return table


def pending_table(samples: Samples) -> Table | None:
    """Raw samples that the batch engine has not got yet; None: none ever came."""
    columns = samples.lookup.columns(f"pending_{samples.name}")
    if columns is None:
        return None
    key = SAMPLE_ID if SAMPLE_ID in {one.name for one in columns} else samples.kind.id or ""
    return Table(
        f"pending_{samples.name}", columns, (column_name(key),) if key != SAMPLE_ID else (key,)
    )


def settle(samples: Samples) -> int:
    """Bring what arrived into the batch engine: raw rows, then their features; tells how many.

    Twice changes nothing. What arrives meanwhile stays pending.
    """
    pending = pending_table(samples)
    if pending is None:
        return 0
    lookup, batch = samples.lookup, samples.batch
    place = exp.table_(pending.name, quoted=True)
    [(last,)] = lookup.rows(exp.select(exp.Max(this=column(ARRIVED))).from_(place.copy()))
    if last is None:
        return 0
    until = exp.LTE(this=column(ARRIVED), expression=exp.Literal.number(str(last)))
    raw = Table(
        samples.raw, tuple(one for one in pending.columns if one.name != ARRIVED), pending.key
    )
    rows = exp.select(*(column(one.name) for one in raw.columns)).from_(place.copy()).where(until)
    batch.ensure(raw)
    count = batch.merge(raw, lookup.stream(rows))
    _refresh_settled(samples, raw, rows)
    kept = exp.select(*(column(one.name) for one in pending.columns)).from_(place.copy())
    lookup.replace_query(pending, kept.where(exp.Not(this=until.copy())))
    return count


def _refresh_settled(samples: Samples, raw: Table, rows: exp.Select) -> None:
    """The features of settled rows, in both engines: a refresh may have run in between."""
    extracted = look_at(samples, samples.batch)
    table = features_table(samples, extracted)
    samples.batch.ensure(table)
    samples.lookup.ensure(table)
    ids = exp.select(column(raw.key[0])).from_(rows.subquery("settled"))
    found = [
        str(one) for batch in samples.lookup.stream(ids) for one in batch.column(0).to_pylist()
    ]
    for start in range(0, len(found), AT_ONCE):
        some = [exp.Literal.string(str(one)) for one in found[start : start + AT_ONCE]]
        wanted = exp.In(this=column(SAMPLE_ID), expressions=some)
        batches = list(samples.batch.stream(features_of(samples, samples.batch, extracted, wanted)))
        samples.batch.merge(table, batches)
        samples.lookup.merge(table, batches)


def _batch(table: Table, rows: Iterable[Sequence[object]]) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True)) or [()] * len(table.columns)
    return batch_of_columns(table.columns, columns, table.name)
