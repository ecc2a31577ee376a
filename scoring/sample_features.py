"""The features of one kind of sample, on either of its engines (requirements S4 to S6).

Training, refreshing, streams and all three ways to serve read features through `features_of`.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Self

import pyarrow as pa
from sqlglot import exp

from scoring.engines.arrow import column_type
from scoring.engines.engine import Engine
from scoring.errors import ExtractionError, MissingTableError
from scoring.extraction import generated_extraction, parse_extraction, restricted
from scoring.features import (
    OBSERVED_AT,
    OWN_COLUMNS,
    SAMPLE_ID,
    column,
    column_name,
    feature_query,
    feature_table,
)
from scoring.raw_columns import RawKind, kind_of_texts, raw_expression
from scoring.samples import Samples
from scoring.table_parts import names_of, side_by_side, split, stored_columns
from scoring.tables import ColumnType, Table
from scoring.wide_tables import stored_table

FIRST_ROWS = 1000
MOST_TEXTS = 10_000
KINDS = {
    ColumnType.TEXT: RawKind.TEXT,
    ColumnType.INTEGER: RawKind.NUMBER,
    ColumnType.NUMBER: RawKind.NUMBER,
    ColumnType.TIME: RawKind.TIME,
}


def extraction_on(
    samples: Samples, engine: Engine, columns: Container[str] | None = None
) -> exp.Query:
    """The script, or one made from the raw table. Raises ExtractionError, MissingTableError.

    `columns` are those that features are kept in, where not all are needed; a script yields all.
    """
    if samples.script is not None:
        name = samples.kind.extraction or "the extraction"
        return parse_extraction(samples.script, samples.dialect, name)
    raw = raw_table(samples, engine)
    names = {one.name for one in raw.columns}
    observed = samples.kind.observed and column_name(samples.kind.observed)
    observed = OBSERVED_AT if OBSERVED_AT in names else observed
    features = [
        one.name
        for one in raw.columns
        if one.name not in (raw.key[0], observed)
        and (columns is None or column_name(one.name) in columns)
    ]
    return generated_extraction(stored_table(engine, raw), raw.key[0], observed, features)


def raw_table(samples: Samples, engine: Engine) -> Table:
    """As it is on an engine. Raises ExtractionError, MissingTableError."""
    columns = stored_columns(engine, samples.raw)
    if columns is None:
        raise MissingTableError(f"{engine.address} has no table {samples.raw} of raw samples")
    names = {one.name for one in columns}
    key = SAMPLE_ID if SAMPLE_ID in names else column_name(samples.kind.id or "")
    if key not in names:
        raise ExtractionError(f"{samples.raw} has no id column {samples.kind.id}: name it (id)")
    return Table(samples.raw, columns, (key,))


@dataclass(frozen=True)
class Extracted:
    """What an extraction yields on an engine: its columns by name, and what they hold."""

    names: Mapping[str, str]  # of the columns that features are kept in, by the script's names
    kinds: Mapping[str, RawKind]
    ids_are_whole: bool

    @property
    def columns(self) -> dict[str, ColumnType]:
        return {self.names[name]: kind.type for name, kind in self.kinds.items()}

    def restricted(self, columns: Iterable[str]) -> Self:
        """Only what is kept in these columns, and when it was observed."""
        wanted = {*columns, OBSERVED_AT}
        names = {name: kept for name, kept in self.names.items() if kept in wanted}
        return replace(self, names=names, kinds={name: self.kinds[name] for name in names})

    @property
    def feature_types(self) -> dict[str, ColumnType]:
        """The same as features: texts and numbers."""
        table = feature_table("features", self.columns)
        return {one.name: one.type for one in table.columns}


def look_at(samples: Samples, engine: Engine) -> Extracted:
    """Find out what the extraction yields, by its first rows. Raises ScoringError.

    Once there is a table of features, its columns tell text from dates that are written as text;
    raw rows that were loaded, or whose columns are configured, have been told apart already.
    """
    types = _types_of(samples, engine)
    whole = types.pop(SAMPLE_ID) is ColumnType.INTEGER
    names = {name: name if name in OWN_COLUMNS else column_name(name) for name in types}
    kept = {one.name: one.type for one in stored_columns(engine, samples.features) or ()}
    kinds = {}
    is_settled = samples.script is None and (samples.source is not None or samples.kind.columns)
    for name, found in types.items():
        kinds[name] = KINDS[found]
        is_known = is_settled or kept.get(names[name]) is ColumnType.TEXT
        if found is ColumnType.TEXT and not is_known:
            extraction = extraction_on(samples, engine, {names[name]})
            texts = exp.select(column(name)).distinct()
            texts = texts.from_(extraction.subquery("extracted")).limit(MOST_TEXTS)
            kinds[name] = kind_of_texts(text for (text,) in engine.rows(texts))  # type: ignore[misc]
    return Extracted(names, kinds, whole)


def _types_of(samples: Samples, engine: Engine) -> dict[str, ColumnType]:
    """Columns of the extraction by its own names; as many at a time as the engine can select."""
    if samples.script is not None:
        queries = [extraction_on(samples, engine)]
    else:
        names = [column_name(one.name) for one in raw_table(samples, engine).columns]
        groups = range(0, len(names), engine.most_columns)
        queries = [
            extraction_on(samples, engine, set(names[at : at + engine.most_columns]))
            for at in groups
        ]
    types: dict[str, ColumnType] = {}
    for query in queries:
        first = next(engine.stream(query.limit(FIRST_ROWS)), None)
        if first is None:
            raise ExtractionError(f"the extraction of {samples.name} yields no row")
        # By the script's own names: Hive answers in small letters.
        own = [one.alias_or_name for one in query.selects]
        types |= {
            name: column_type(field.type) for name, field in zip(own, first.schema, strict=True)
        }
    return types


def features_of(
    samples: Samples,
    engine: Engine,
    extracted: Extracted,
    only: exp.Expression | None = None,
    columns: Iterable[str] | None = None,
) -> exp.Select:
    """sample_id, observed_at where known, and the features; of several rows a sample the newest.

    `only` is a condition on the extraction's sample_id or observed_at; `columns` are the features
    that are wanted where not all are.
    """
    if columns is not None:
        extracted = extracted.restricted(columns)
    query = extraction_on(samples, engine, set(extracted.names.values()))
    if only is not None:
        output = OBSERVED_AT if column(OBSERVED_AT) in only.find_all(exp.Column) else SAMPLE_ID
        query = restricted(query, output, only)
    kinds = {SAMPLE_ID: RawKind.TEXT, **extracted.kinds}
    names = {SAMPLE_ID: SAMPLE_ID, **extracted.names}
    wanted = [
        raw_expression(column(name), kind, engine.dialect).as_(names[name], quoted=True)
        for name, kind in kinds.items()
    ]
    raw = exp.select(*wanted, copy=False).from_(query.subquery("extracted", copy=False), copy=False)
    columns = {SAMPLE_ID: ColumnType.TEXT, **extracted.columns}
    if OBSERVED_AT in columns:
        raw = _newest(raw, columns)
    return feature_query(raw, columns, engine.dialect, samples.kind.observed_on)


def stream_features(
    samples: Samples, engine: Engine, extracted: Extracted, only: exp.Expression | None = None
) -> Iterator[pa.RecordBatch]:
    """All features, however many, in the order of the samples' ids; constant memory."""
    table = features_table(samples, extracted)
    parts = [names_of(part) for part in split(table, engine.most_columns)]
    streams = []
    for names in parts:
        features = features_of(samples, engine, extracted, only, names)
        own = features.subquery("features", copy=False)
        chosen = exp.select(*map(column, names), copy=False).from_(own, copy=False)
        streams.append(engine.stream(chosen.order_by(column(SAMPLE_ID))))
    return side_by_side(streams, table.key)


def features_table(samples: Samples, extracted: Extracted) -> Table:
    return feature_table(samples.features, extracted.columns)


def _newest(raw: exp.Select, columns: Mapping[str, ColumnType]) -> exp.Select:
    """One row a sample: the one observed last."""
    order = exp.Order(expressions=[exp.Ordered(this=column(OBSERVED_AT), desc=True)])
    age = exp.Window(this=exp.RowNumber(), partition_by=[column(SAMPLE_ID)], order=order)
    ranked = exp.select("*", age.as_("age")).from_(raw.subquery("seen", copy=False))
    chosen = [column(name) for name in columns]
    newest = exp.EQ(this=column("age"), expression=exp.Literal.number(1))
    return (
        exp.select(*chosen, copy=False).from_(ranked.subquery("ranked", copy=False)).where(newest)
    )
