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
from scoring.loading import load_raw
from scoring.sample_features import Extracted, features_of, features_table, look_at
from scoring.sample_inputs import kept_features
from scoring.samples import Samples
from scoring.stability import StabilityCount, TrainingBins
from scoring.table_parts import drop_stored, names_of, stored_columns
from scoring.tables import Table
from scoring.wide_tables import WideTable

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
        drop_stored(samples.batch, samples.features)
        drop_stored(samples.lookup, samples.features)
    is_changed = load_raw(samples)
    extracted = look_at(samples, samples.batch)
    table = _ensured(samples, features_table(samples, extracted))
    since = _refreshed_until(samples)
    rows: Iterator[pa.RecordBatch] = iter(())
    if since is not None:
        rows = _add_since(samples, extracted, table, since - LATE).stream()
    elif is_changed or samples.source is None or samples.script or not _is_copied(samples):
        table.replace_query(lambda names: _extraction_of(samples, extracted, names))
        rows = table.stream()
    digest, stability = FeatureDigest(), StabilityCount(trainings)
    _copy(samples, table.table, _counted(rows, digest, stability), whole=since is None)
    counted = exp.select(exp.Count(this=exp.Star())).from_(table.relation([]).subquery("kept"))
    [(count,)] = samples.batch.rows(counted)
    drop_stored(samples.batch, _arrived(table.table).name)
    return Refreshed(
        rows=digest.rows,
        samples=int(str(count)),
        digest=digest.hexdigest(),
        until=_newest(samples, samples.batch),
        stability=stability.indices(),
    )


def _add_since(
    samples: Samples, extracted: Extracted, table: WideTable, since: dt.datetime
) -> WideTable:
    """Put what was observed since then in the place of older rows, and tell what it was.

    The table is swapped inside the engine: readers see it before or after.
    """
    arrived = WideTable(samples.batch, _arrived(table.table)).ensure()
    text = since.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    start: exp.Expression = exp.Literal.string(text)
    if samples.batch.dialect != "sqlite":  # where times are texts
        start = exp.cast(start, "TIMESTAMP")
    only = exp.GTE(this=column(OBSERVED_AT), expression=start)
    arrived.replace_query(lambda names: _extraction_of(samples, extracted, names, only))

    def both(names: Sequence[str]) -> exp.Query:
        kept = table.in_order(names, _not_in(arrived))
        return exp.union(arrived.in_order(names), kept, distinct=False)

    table.replace_query(both)
    return arrived


def _not_in(arrived: WideTable) -> exp.Expression:
    """Of rows of features: none of those that arrived has the same id. Hive has no NOT IN."""
    ids = arrived.select([column(SAMPLE_ID).as_(REPLACED, quoted=True)])
    same = exp.EQ(this=column(REPLACED, REPLACED), expression=column(SAMPLE_ID))
    found = exp.select(column(REPLACED, REPLACED)).from_(ids.subquery(REPLACED)).where(same)
    return exp.Not(this=exp.Exists(this=found))


def _copy(samples: Samples, table: Table, rows: Iterator[pa.RecordBatch], *, whole: bool) -> None:
    """Into the look-up engine, last of all: by its newest row the next refresh begins."""
    copy = WideTable(samples.lookup, table).ensure()
    first = next(rows, None)
    if first is None:
        return
    every = itertools.chain([first], rows)
    if whole:
        copy.replace(every)
    else:
        copy.merge(every)


def _counted(
    batches: Iterable[pa.RecordBatch], digest: FeatureDigest, stability: StabilityCount
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        digest.add(batch)
        stability.add(batch)
        yield batch


def _ensured(samples: Samples, table: Table) -> WideTable:
    try:
        return WideTable(samples.batch, table).ensure()
    except TableConflictError:
        raise ExtractionError(
            f"the features of {samples.name} are other ones than before, and models read those: "
            "`tally features refresh --anew` makes the table afresh"
        ) from None


def _refreshed_until(samples: Samples) -> dt.datetime | None:
    """The newest observation that both engines have the features of."""
    if not _is_copied(samples) or _newest(samples, samples.batch) is None:
        return None
    return _newest(samples, samples.lookup)


def _is_copied(samples: Samples) -> bool:
    return stored_columns(samples.lookup, samples.features) is not None


def _newest(samples: Samples, engine: Engine) -> dt.datetime | None:
    table = kept_features(samples, engine)
    if OBSERVED_AT not in names_of(table.table):
        return None
    known = exp.Not(this=exp.Is(this=column(OBSERVED_AT), expression=exp.Null()))
    newest = table.in_order([OBSERVED_AT], known)
    newest = newest.order_by(column(OBSERVED_AT).desc()).limit(1)
    found = engine.rows(newest)
    return found[0][0] if found and isinstance(found[0][0], dt.datetime) else None


def _extraction_of(
    samples: Samples,
    extracted: Extracted,
    names: Sequence[str],
    only: exp.Expression | None = None,
) -> exp.Select:
    """Some of the features, as the batch engine extracts them, in this order."""
    query = features_of(samples, samples.batch, extracted, only, names)
    chosen = map(column, names)
    return exp.select(*chosen, copy=False).from_(query.subquery("extracted_features", copy=False))


def _arrived(table: Table) -> Table:
    return Table(f"{table.name}_new", table.columns, table.key)
