"""The features of one kind of sample, on either of its engines (requirements S4 to S6).

Training, refreshing, streams and all three ways to serve read features through `features_of`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

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
from scoring.tables import ColumnType, Table

FIRST_ROWS = 1000
MOST_TEXTS = 10_000
KINDS = {
    ColumnType.TEXT: RawKind.TEXT,
    ColumnType.INTEGER: RawKind.NUMBER,
    ColumnType.NUMBER: RawKind.NUMBER,
    ColumnType.TIME: RawKind.TIME,
}


def extraction_on(samples: Samples, engine: Engine) -> exp.Query:
    """The script, or one made from the raw table. Raises ExtractionError, MissingTableError."""
    if samples.script is not None:
        name = samples.kind.extraction or "the extraction"
        return parse_extraction(samples.script, samples.dialect, name)
    raw = raw_table(samples, engine)
    names = {one.name for one in raw.columns}
    observed = samples.kind.observed and column_name(samples.kind.observed)
    return generated_extraction(raw, raw.key[0], OBSERVED_AT if OBSERVED_AT in names else observed)


def raw_table(samples: Samples, engine: Engine) -> Table:
    """As it is on an engine. Raises ExtractionError, MissingTableError."""
    columns = engine.columns(samples.raw)
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
    extraction = extraction_on(samples, engine)
    first = next(engine.stream(extraction.limit(FIRST_ROWS)), None)
    if first is None:
        raise ExtractionError(f"the extraction of {samples.name} yields no row")
    # By the script's own names: Hive answers in small letters.
    own = [one.alias_or_name for one in extraction.selects]
    types = {name: column_type(field.type) for name, field in zip(own, first.schema, strict=True)}
    whole = types.pop(SAMPLE_ID) is ColumnType.INTEGER
    names = {name: name if name in OWN_COLUMNS else column_name(name) for name in types}
    kept = {one.name: one.type for one in engine.columns(samples.features) or ()}
    kinds = {}
    is_settled = samples.script is None and (samples.source is not None or samples.kind.columns)
    for name, found in types.items():
        kinds[name] = KINDS[found]
        is_known = is_settled or kept.get(names[name]) is ColumnType.TEXT
        if found is ColumnType.TEXT and not is_known:
            texts = exp.select(column(name)).distinct()
            texts = texts.from_(extraction.subquery("extracted")).limit(MOST_TEXTS)
            kinds[name] = kind_of_texts(text for (text,) in engine.rows(texts))  # type: ignore[misc]
    return Extracted(names, kinds, whole)


def features_of(
    samples: Samples, engine: Engine, extracted: Extracted, only: exp.Expression | None = None
) -> exp.Select:
    """sample_id, observed_at where known, and the features; of several rows a sample the newest.

    `only` is a condition on the extraction's sample_id or observed_at.
    """
    query = extraction_on(samples, engine)
    if only is not None:
        output = OBSERVED_AT if column(OBSERVED_AT) in only.find_all(exp.Column) else SAMPLE_ID
        query = restricted(query, output, only)
    kinds = {SAMPLE_ID: RawKind.TEXT, **extracted.kinds}
    names = {SAMPLE_ID: SAMPLE_ID, **extracted.names}
    wanted = [
        raw_expression(column(name), kind, engine.dialect).as_(names[name], quoted=True)
        for name, kind in kinds.items()
    ]
    raw = exp.select(*wanted, copy=False).from_(query.subquery("extracted"))
    columns = {SAMPLE_ID: ColumnType.TEXT, **extracted.columns}
    if OBSERVED_AT in columns:
        raw = _newest(raw, columns)
    return feature_query(raw, columns, engine.dialect, samples.kind.observed_on)


def features_table(samples: Samples, extracted: Extracted) -> Table:
    return feature_table(samples.features, extracted.columns)


def _newest(raw: exp.Select, columns: Mapping[str, ColumnType]) -> exp.Select:
    """One row a sample: the one observed last."""
    order = exp.Order(expressions=[exp.Ordered(this=column(OBSERVED_AT), desc=True)])
    age = exp.Window(this=exp.RowNumber(), partition_by=[column(SAMPLE_ID)], order=order)
    ranked = exp.select("*", age.as_("age")).from_(raw.subquery("seen"))
    chosen = [column(name) for name in columns]
    newest = exp.EQ(this=column("age"), expression=exp.Literal.number(1))
    return exp.select(*chosen, copy=False).from_(ranked.subquery("ranked")).where(newest)
