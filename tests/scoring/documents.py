"""Model documents and rows for tests, and the scores that numpy gives to them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlglot import exp

from learning.binning import Rule, VariableBins, apply_bins
from scoring.engines.engine import Engine
from scoring.expressions import partial_score_query
from scoring.model_rows import batch
from scoring.models import ScoringModel
from scoring.models.linear import BinnedTerm, LinearModel
from scoring.tables import Column, ColumnType, Table

DIGEST = "0" * 64
Floats = npt.NDArray[np.float64]
Features = Mapping[str, Sequence[float | int | str | None]]


def features_table(engine: Engine, features: Features, texts: Iterable[str] = ()) -> exp.Query:
    """The features in a table of the engine, and a query for them; sample ids count from s0."""
    types = {
        name: ColumnType.TEXT if name in set(texts) else ColumnType.NUMBER for name in features
    }
    columns = [Column("sample_id", ColumnType.TEXT)]
    columns += [Column(name, type_) for name, type_ in types.items()]
    table = Table("features", tuple(columns), key=("sample_id",))
    count = len(next(iter(features.values())))
    rows = list(zip(sample_ids(count), *features.values(), strict=True))
    engine.drop(table.name)
    engine.ensure(table)
    engine.append(table, [batch(table, rows)])
    return exp.select("*").from_(exp.to_table(table.name))


def sample_ids(count: int) -> list[str]:
    return [f"s{place:06}" for place in range(count)]


def scores_of(engine: Engine, query: exp.Select) -> Floats:
    """float64[samples, outputs] in the order of the sample ids, NaN where there is no score."""
    rows = engine.rows(query.order_by(exp.column("sample_id", quoted=True)))
    ids = [row[0] for row in rows]
    assert ids == sample_ids(len(ids))
    scores: Floats = np.array([row[1:] for row in rows], np.float64)
    return scores


def scored(engine: Engine, model: ScoringModel, features: Features) -> Floats:
    """By literals: the model as one expression."""
    table = features_table(engine, features, model.text_inputs)
    return scores_of(engine, partial_score_query(model, table, engine.dialect))


def binned(cut: VariableBins, *weights: Sequence[float]) -> BinnedTerm:
    return BinnedTerm(cut=cut, weights=tuple(tuple(one) for one in weights))


def logistic(*terms: BinnedTerm, intercept: float | None = None, **more: Any) -> LinearModel:
    settings: dict[str, Any] = {
        "model_id": "spring",
        "digest": DIGEST,
        "kind": "logistic",
        "combination": "sigmoid",
        "outputs": 1,
        "intercepts": None if intercept is None else (intercept,),
        "terms": terms,
    }
    return LinearModel.model_validate(settings | more)


def by_numpy(model: LinearModel, features: Features) -> Floats:
    """float64[rows] of a model of binned terms, cut as training cuts."""
    rows = len(next(iter(features.values())))
    scores = np.full(rows, (model.intercepts or (0.0,))[0])
    for term in model.terms:
        assert isinstance(term, BinnedTerm)
        codes = apply_bins(term.cut, training_column(features[term.name]))
        scores += np.array(term.weights[0])[codes]
    return scores


def training_column(values: Sequence[Any]) -> npt.NDArray[Any]:
    """As training reads it: text with None, or float64 with NaN."""
    if any(isinstance(value, str) for value in values):
        return np.array(values, np.object_)
    return np.array([np.nan if value is None else value for value in values], np.float64)


def cut_by(
    name: str, rule: Rule, edges: Sequence[float] = (), *, missing: bool = False
) -> VariableBins:
    bins = len(edges) + 1 + missing
    return VariableBins(
        name=name,
        rule=rule,
        edges=tuple(edges),
        has_missing_bin=missing,
        labels=tuple(f"bin {code}" for code in range(bins)),
    )
