"""Features extracted ahead of time (requirement S4, near real time).

What is found new replaces what is older by time of observation. Doing it twice changes nothing,
and what broke off is done again the next time.
"""

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp

from scoring.digests import FeatureDigest
from scoring.engines.engine import Engine
from scoring.errors import ExtractionError, TableConflictError
from scoring.features import OBSERVED_AT, SAMPLE_ID, column
from scoring.loading import load_raw, replace_rows
from scoring.sample_features import Extracted, features_of, features_table, look_at
from scoring.samples import Samples
from scoring.stability import StabilityCount, TrainingBins
from scoring.tables import Table

# Rows may come a little later than they say: so much is looked at again.
LATE = dt.timedelta(days=1)
REPLACED = "replaced"


@dataclass(frozen=True)
class Refreshed:
    """`rows` were extracted anew; `digest` is theirs, `stability` is by model and variable."""

    rows: int
    samples: int
    digest: str
    until: dt.datetime | None
    stability: Mapping[tuple[str, str], float]


def refresh(
    samples: Samples, trainings: Sequence[TrainingBins] = (), *, anew: bool = False
) -> Refreshed:
    """Bring the features of both engines up to the raw rows. Raises ScoringError.

    Where rows say when they were observed, only those since the last time are extracted; else all
    are, unless their file is as it was. `anew` makes the tables afresh.
    """
    if anew:
        samples.batch.drop(samples.features)
        samples.lookup.drop(samples.features)
    is_changed = load_raw(samples)
    extracted = look_at(samples, samples.batch)
    table = features_table(samples, extracted)
    _ensure(samples, table)
    since = _refreshed_until(samples, table)
    if since is not None:
        rows = _add_since(samples, extracted, table, since - LATE)
    elif is_changed or samples.source is None or samples.script or not _is_copied(samples, table):
        everything = features_of(samples, samples.batch, extracted)
        samples.batch.replace_query(table, _in_order(everything, table))
        rows = _rows_of(table.name, table)
    else:
        rows = _rows_of(table.name, table).where(exp.false())
    digest, stability = FeatureDigest(), StabilityCount(trainings)
    ordered = samples.batch.stream(rows.order_by(column(SAMPLE_ID)))
    _copy(samples, table, _counted(ordered, digest, stability), whole=since is None)
    [(count,)] = samples.batch.rows(
        exp.select(exp.Count(this=exp.Star())).from_(exp.table_(table.name, quoted=True))
    )
    samples.batch.drop(_arrived(table).name)
    return Refreshed(
        rows=digest.rows,
        samples=int(str(count)),
        digest=digest.hexdigest(),
        until=_newest(samples.batch, table),
        stability=stability.indices(),
    )


def _add_since(
    samples: Samples, extracted: Extracted, table: Table, since: dt.datetime
) -> exp.Select:
    """Put what was observed since then in the place of older rows; the query tells what it was.

    The table is swapped inside the engine: readers see it before or after.
    """
    arrived = _arrived(table)
    text = since.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    start: exp.Expression = exp.Literal.string(text)
    if samples.batch.dialect != "sqlite":  # where times are texts
        start = exp.cast(start, "TIMESTAMP")
    only = exp.GTE(this=column(OBSERVED_AT), expression=start)
    new = features_of(samples, samples.batch, extracted, only)
    samples.batch.ensure(arrived)
    samples.batch.replace_query(arrived, _in_order(new, table))
    kept = _rows_of(table.name, table).where(_not_in(arrived.name, table.name))
    both = exp.union(_rows_of(arrived.name, table), kept, distinct=False)
    samples.batch.replace_query(table, both)
    return _rows_of(arrived.name, table)


def _not_in(arrived: str, table: str) -> exp.Expression:
    """Of rows of a table: none of those that arrived has the same id. Hive has no NOT IN."""
    ids = exp.select(column(SAMPLE_ID).as_(REPLACED, quoted=True))
    ids = ids.from_(exp.table_(arrived, quoted=True))
    same = exp.EQ(this=column(REPLACED, REPLACED), expression=column(SAMPLE_ID, table))
    found = exp.select(column(REPLACED, REPLACED)).from_(ids.subquery(REPLACED)).where(same)
    return exp.Not(this=exp.Exists(this=found))


def _copy(samples: Samples, table: Table, rows: Iterator[pa.RecordBatch], *, whole: bool) -> None:
    """Into the look-up engine, last of all: by its newest row the next refresh begins."""
    if len(table.columns) > samples.lookup.most_columns:
        for _ in rows:
            pass
        return
    samples.lookup.ensure(table)
    first = next(rows, None)
    if first is None:
        return
    every = itertools.chain([first], rows)
    if whole:
        replace_rows(samples.lookup, table, every)
    else:
        samples.lookup.merge(table, every)


def _counted(
    batches: Iterable[pa.RecordBatch], digest: FeatureDigest, stability: StabilityCount
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        digest.add(batch)
        stability.add(batch)
        yield batch


def _ensure(samples: Samples, table: Table) -> None:
    try:
        samples.batch.ensure(table)
    except TableConflictError:
        raise ExtractionError(
            f"the features of {samples.name} are other ones than before, and models read those: "
            "`tally features refresh --anew` makes the table afresh"
        ) from None


def _refreshed_until(samples: Samples, table: Table) -> dt.datetime | None:
    """The newest observation that both engines have the features of."""
    if len(table.columns) > samples.lookup.most_columns:
        return _newest(samples.batch, table)
    if samples.lookup.columns(table.name) is None or _newest(samples.batch, table) is None:
        return None
    return _newest(samples.lookup, table)


def _is_copied(samples: Samples, table: Table) -> bool:
    wide = len(table.columns) > samples.lookup.most_columns
    return wide or samples.lookup.columns(table.name) is not None


def _newest(engine: Engine, table: Table) -> dt.datetime | None:
    if OBSERVED_AT not in {one.name for one in table.columns}:
        return None
    place = exp.table_(table.name, quoted=True)
    known = exp.Not(this=exp.Is(this=column(OBSERVED_AT), expression=exp.Null()))
    newest = exp.select(column(OBSERVED_AT)).from_(place).where(known)
    newest = newest.order_by(column(OBSERVED_AT).desc()).limit(1)
    found = engine.rows(newest)
    return found[0][0] if found and isinstance(found[0][0], dt.datetime) else None


def _in_order(query: exp.Query, table: Table) -> exp.Select:
    """Columns go by position."""
    names = [column(one.name) for one in table.columns]
    return exp.select(*names, copy=False).from_(query.subquery("extracted_features"))


def _rows_of(name: str, table: Table) -> exp.Select:
    names = [column(one.name) for one in table.columns]
    return exp.select(*names, copy=False).from_(exp.table_(name, quoted=True))


def _arrived(table: Table) -> Table:
    return Table(f"{table.name}_new", table.columns, table.key)
