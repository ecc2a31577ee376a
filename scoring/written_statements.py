"""One party's half of a model as the text of a statement, for whatever engine runs it (C3)."""

import re
from enum import StrEnum

from sqlglot import exp

from scoring.engines.rendering import render
from scoring.engines.statements import DATA_TYPES
from scoring.errors import ModelTableError
from scoring.expressions import partial_score_query
from scoring.features import SAMPLE_ID, column, column_name
from scoring.linear_tables import weight_tables
from scoring.models import LinearModel, ScoringModel
from scoring.sample_inputs import read_by_presence
from scoring.tables import ColumnType

TABLE_NAME = re.compile(r"[A-Za-z_]\w{0,127}(\.[A-Za-z_]\w{0,127}){0,2}", re.ASCII)


class Dialect(StrEnum):
    DUCKDB = "duckdb"
    SQLITE = "sqlite"
    POSTGRES = "postgres"
    HIVE = "hive"
    SPARK = "spark"
    FLINK = "flink"


def written_statement(
    model: ScoringModel,
    dialect: Dialect,
    features: str,
    weights: str | None = None,
    content: str | None = None,
) -> str:
    """A SELECT of sample_id and score_0 … from the table `features`, one row a sample.

    `features` has the columns of `read_columns`. Weights are literals, or come from the table
    `weights`: rows as scoring.model_tables has them, those of the document `content`.
    Raises ModelTableError.
    """
    read = [column(column_name(one)).as_(one, quoted=True) for one in model.inputs]
    inputs = exp.select(column(SAMPLE_ID), *read).from_(_table(features))
    rows = None if weights is None else _rows_of(model, weights, content or "")
    query = partial_score_query(model, inputs, dialect, rows)
    return render(query, dialect, pretty=True)


def read_columns(model: ScoringModel, dialect: Dialect) -> str:
    """The columns that the statement reads, as they stand in a CREATE TABLE."""
    types = {SAMPLE_ID: ColumnType.TEXT}
    texts = model.text_inputs | read_by_presence(model)
    for one in model.inputs:
        types[column_name(one)] = ColumnType.TEXT if one in texts else ColumnType.NUMBER
    definitions = [
        exp.ColumnDef(
            this=exp.to_identifier(name, quoted=True), kind=exp.DataType.build(DATA_TYPES[type_])
        )
        for name, type_ in types.items()
    ]
    return ",\n".join(render(one, dialect) for one in definitions)


def _rows_of(model: ScoringModel, weights: str, content: str) -> exp.Query:
    """The rows of weights of one document."""
    if not isinstance(model, LinearModel):
        raise ModelTableError(
            f"{model.model_id} has no table of weights: its tree is the statement"
        )
    table, *more = weight_tables(model.role, len(model.weights_of(0)))
    if more:
        raise ModelTableError(
            f"the weights of {model.model_id} are spread over several tables: leave them in the "
            "statement"
        )
    own = exp.EQ(this=column("content"), expression=exp.Literal.string(content))
    return (
        exp.select(*(column(one.name) for one in table.columns)).from_(_table(weights)).where(own)
    )


def _table(name: str) -> exp.Table:
    if not TABLE_NAME.fullmatch(name):
        raise ModelTableError(f"{name!r} is no name of a table: letters, digits, _ and dots")
    *path, last = name.split(".")
    catalog, database = ([None, None, *path])[-2:]
    return exp.table_(last, db=database, catalog=catalog, quoted=True)
