"""A party's partial scores as one SQL query, built as a tree and never from text (S2, C3)."""

from sqlglot import exp

from scoring.layers import SAMPLE_ID
from scoring.linear_expressions import linear_query
from scoring.literals import column
from scoring.models import NetworkModel, ScoringModel, TreeModel
from scoring.network_expressions import network_query
from scoring.tree_expressions import tree_query


def partial_score_query(
    model: ScoringModel, features: exp.Query, dialect: str, weights: exp.Query | None = None
) -> exp.Select:
    """Columns sample_id, score_0 … score_{outputs-1}: raw scores of one party's half.

    `features` yields sample_id and the raw columns that the model reads; a missing value is NULL
    (or NaN, of a number). A score is NULL where a number is missing that the model needs.
    `weights` yields a linear model's rows, one an output, as scoring.model_tables stores them
    (model_id, output_number, intercept, w_…); without it the weights are literals of the query.
    """
    chosen = [column(name, "raw") for name in (SAMPLE_ID, *model.inputs)]
    read = exp.select(*chosen, copy=False).from_(features.subquery("raw"), copy=False)
    if isinstance(model, TreeModel):
        return tree_query(model, read, dialect)
    if isinstance(model, NetworkModel):
        return network_query(model, read, dialect)
    return linear_query(model, read, dialect, weights)
