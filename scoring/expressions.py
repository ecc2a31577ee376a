"""A party's partial scores as one SQL query, built as a tree and never from text (S2, C3)."""

from collections.abc import Sequence

from sqlglot import exp

from scoring.inputs import FEATURES
from scoring.linear_expressions import linear_scores
from scoring.literals import column, text
from scoring.models import ScoringModel

SAMPLE_ID = "sample_id"
MODEL_ID = "model_id"
SCORED = "scored_model_id"
OUTPUT = "output_number"


def partial_score_query(
    model: ScoringModel, features: exp.Query, dialect: str, weights: exp.Query | None = None
) -> exp.Select:
    """Columns sample_id, score_0 … score_{outputs-1}: raw scores of one party's half.

    `features` yields sample_id and the raw columns that the model reads; a missing value is NULL
    (or NaN, of a number). A score is NULL where a number is missing that the model needs.
    `weights` yields the model's rows, one an output, as scoring.model_tables stores them (model_id,
    output_number, intercept, w_…); without it the weights are literals of the query.
    """
    if weights is None:
        scores = linear_scores(model, dialect, None)
        return _scored(features_of(model, features), scores)
    tables = [f"w{output}" for output in range(model.outputs)]
    scores = linear_scores(model, dialect, tables)
    query = _scored(features_of(model, features, text(model.model_id)), scores)
    for output, table in enumerate(tables):
        query = _joined(query, weights, output, table)
    return query


def features_of(
    model: ScoringModel, features: exp.Query, model_id: exp.Expression | None = None
) -> exp.Select:
    """The columns that the model reads, and which model: Hive joins on equal columns only."""
    chosen = [column(name, "raw") for name in (SAMPLE_ID, *model.inputs)]
    marked = [] if model_id is None else [exp.alias_(model_id, SCORED, quoted=True)]
    return exp.select(*chosen, *marked).from_(features.copy().subquery("raw"))


def _scored(features: exp.Select, scores: Sequence[exp.Expression]) -> exp.Select:
    # A double whatever the engine infers, for SQLite even where all rows are NULL.
    doubles = [exp.cast(score, exp.DataType.Type.DOUBLE) for score in scores]
    named = [exp.alias_(score, f"score_{output}") for output, score in enumerate(doubles)]
    return exp.select(column(SAMPLE_ID, FEATURES), *named).from_(features.subquery(FEATURES))


def _joined(query: exp.Select, weights: exp.Query, output: int, table: str) -> exp.Select:
    rows = exp.select("*").from_(weights.copy().subquery("v"))
    rows = rows.where(exp.EQ(this=column(OUTPUT, "v"), expression=exp.Literal.number(output)))
    same = exp.EQ(this=column(MODEL_ID, table), expression=column(SCORED, FEATURES))
    return query.join(rows.subquery(table), on=same)
