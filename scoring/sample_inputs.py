"""What a model reads of the features of a kind of sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from learning.binning import Rule
from scoring.engines.engine import Engine
from scoring.errors import ExtractionError, MissingTableError
from scoring.features import SAMPLE_ID, column, column_name
from scoring.files.source import check_columns
from scoring.loading import is_outdated
from scoring.models import ScoringModel
from scoring.models.linear import BinnedTerm
from scoring.sample_features import Extracted, extraction_on, features_of, raw_table
from scoring.samples import Samples
from scoring.table_parts import stored_columns
from scoring.tables import ColumnType, Table
from scoring.wide_tables import QueryOf, WideTable, stored_table


@dataclass(frozen=True)
class Source:
    """Features on an engine: what their columns hold, and a query for some of them."""

    types: Mapping[str, ColumnType]
    query_of: QueryOf


def kept_features(samples: Samples, engine: Engine) -> WideTable:
    """The table of features that was made ahead. Raises MissingTableError."""
    columns = stored_columns(engine, samples.features)
    if columns is None:
        raise MissingTableError(
            f"there are no features of {samples.name} yet: run `tally features refresh`"
        )
    return stored_table(engine, Table(samples.features, columns, (SAMPLE_ID,)))


def kept_source(samples: Samples, engine: Engine, wanted: exp.Expression | None = None) -> Source:
    """Features that were made ahead, of the samples that are wanted."""
    kept = kept_features(samples, engine)
    types = {one.name: one.type for one in kept.table.columns}
    return Source(types, lambda columns: kept.relation(columns, wanted))


def extracted_source(
    samples: Samples, engine: Engine, extracted: Extracted, wanted: exp.Expression
) -> Source:
    """Features that are extracted as they are read."""
    return Source(
        extracted.feature_types,
        lambda columns: features_of(samples, engine, extracted, wanted, columns),
    )


def inputs_of(model: ScoringModel, source: Source, name: str) -> QueryOf:
    """Queries for sample_id and inputs of the model, under their own names.

    Raises ExtractionError where the features lack one.
    """
    columns = source.types
    if missing := [one for one in model.inputs if column_name(one) not in columns]:
        raise ExtractionError(
            f"model {model.model_id} reads {_few(missing)}, which the features of {name} lack"
        )
    texts = {one for one in model.inputs if columns[column_name(one)] is ColumnType.TEXT}
    if turned := sorted((model.text_inputs ^ texts) - read_by_presence(model)):
        raise ExtractionError(
            f"model {model.model_id} learned {_few(turned)} as text where the features of {name} "
            "have numbers, or the other way round"
        )

    def some(inputs: Sequence[str]) -> exp.Select:
        wanted = [column(column_name(one)).as_(one, quoted=True) for one in inputs]
        features = source.query_of([column_name(one) for one in inputs])
        return exp.select(column(SAMPLE_ID), *wanted, copy=False).from_(
            features.subquery("kept", copy=False), copy=False
        )

    return some


def check_inputs(samples: Samples, model: ScoringModel) -> None:
    """A model reads only what samples of this kind have, by what is known before any is loaded.

    Raises ModelFileError, naming the others, and MissingTableError where there are no samples yet.
    """
    known = _known_columns(samples)
    check_columns(model, {one for one in model.inputs if column_name(one) in known})


def _known_columns(samples: Samples) -> set[str]:
    """The columns that features are kept in."""
    if samples.script is not None:
        names = extraction_on(samples, samples.lookup).named_selects
    elif samples.source is not None and is_outdated(samples):
        names = [one.name for one in samples.source.read()[0].columns]
    else:
        known = stored_columns(samples.lookup, samples.raw)
        here = samples.batch if known is None else samples.lookup
        if samples.kind.columns and stored_columns(here, samples.raw) is None:
            names = list(samples.kind.columns)
        else:
            names = [one.name for one in raw_table(samples, here).columns]
    return {column_name(name) for name in names}


def lacks(samples: Samples, engine: Engine, model: ScoringModel) -> bool:
    """Whether the model reads columns that this kind of sample has not."""
    columns = {one.name for one in kept_features(samples, engine).table.columns}
    return any(column_name(one) not in columns for one in model.inputs)


def read_by_presence(model: ScoringModel) -> set[str]:
    """Inputs of which only matters whether they are there."""
    terms = getattr(model, "terms", ())
    binned = [term for term in terms if isinstance(term, BinnedTerm)]
    return {term.name for term in binned if term.cut.rule is Rule.PRESENCE}


def _few(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
