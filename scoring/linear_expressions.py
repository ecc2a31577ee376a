"""Weighted sums as SQL: CASE cuts a variable, weights are columns or literals (C3)."""

from collections.abc import Sequence

from sqlglot import exp

from events.vocabulary import Role
from scoring.inputs import FEATURES, of_bin, scaled
from scoring.layers import layer, score_columns
from scoring.literals import column, number, present, text, total
from scoring.models.linear import LinearModel, NumberTerm

MODEL_ID = "model_id"
SCORED = "scored_model_id"
OUTPUT = "output_number"
INTERCEPT = "intercept"


def side_of(role: Role) -> str:
    return "a" if role is Role.LOCAL else "b"


def weight_names(role: Role, width: int) -> list[str]:
    """`w_a1 … w_ak` at the local party, `w_b1 … w_bm` at a participant (requirement C2)."""
    return [f"w_{side_of(role)}{place}" for place in range(1, width + 1)]


def linear_query(
    model: LinearModel, features: exp.Select, dialect: str, weights: exp.Query | None
) -> exp.Select:
    """Scores of `features`, by `weights` joined on the model's id, or by literals."""
    if weights is None:
        return layer(features, FEATURES, score_columns(_scores(model, dialect, None)))
    # Which model: Hive joins on equal columns only.
    features = features.select(exp.alias_(text(model.model_id), SCORED, quoted=True), copy=False)
    tables = [f"w{output}" for output in range(model.outputs)]
    query = layer(features, FEATURES, score_columns(_scores(model, dialect, tables)))
    for output, table in enumerate(tables):
        rows = exp.select("*").from_(weights.copy().subquery("v"))
        rows = rows.where(exp.EQ(this=column(OUTPUT, "v"), expression=exp.Literal.number(output)))
        same = exp.EQ(this=column(MODEL_ID, table), expression=column(SCORED, FEATURES))
        query = query.join(rows.subquery(table), on=same, copy=False)
    return query


def _scores(
    model: LinearModel, dialect: str, weight_tables: Sequence[str] | None
) -> list[exp.Expression]:
    """One raw score an output; `weight_tables` names the table of each, None: literals."""
    scores = []
    for output in range(model.outputs):
        if weight_tables is None:
            weights = [number(weight, dialect) for weight in model.weights_of(output)]
            constant = None if model.intercepts is None else model.intercepts[output]
            intercept = [] if constant is None else [number(constant, dialect)]
        else:
            table = weight_tables[output]
            names = weight_names(model.role, len(model.weights_of(output)))
            weights = [column(name, table) for name in names]
            intercept = [] if model.intercepts is None else [column(INTERCEPT, table)]
        scores.append(_score(model, dialect, weights, intercept))
    return scores


def _score(
    model: LinearModel,
    dialect: str,
    weights: Sequence[exp.Expression],
    intercept: Sequence[exp.Expression],
) -> exp.Expression:
    terms = list(intercept)
    at = 0
    for term in model.terms:
        if isinstance(term, NumberTerm):
            terms.append(exp.Mul(this=scaled(term.input, dialect), expression=weights[at]))
            at += 1
        else:
            bins = term.cut.bins
            terms.append(of_bin(term.cut, weights[at : at + bins], dialect))
            at += bins
    score = total(terms, dialect)
    by_number = any(isinstance(term, NumberTerm) for term in model.terms)
    return present(score, dialect) if by_number else score
