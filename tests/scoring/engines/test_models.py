"""Every kind of model scores on every engine as its library does, from tables and files (C2 to C4).

Missing values and their direction, unseen categories, extreme values and values on a threshold are
among the rows; the libraries' own answers are what is compared with.
"""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
import xgboost
from sklearn import ensemble, linear_model
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from learning.binning import BELOW_ZERO, Rule, VariableBins
from scoring.combining import combine
from scoring.engines.engine import Engine
from scoring.files.lightgbm import read_lightgbm
from scoring.files.scikit_learn import read_scikit_learn
from scoring.files.source import Source
from scoring.files.xgboost import read_xgboost
from scoring.model_tables import ModelTables
from scoring.models import ScoringModel
from tests.scoring import test_boosted_files as boosted
from tests.scoring import test_scikit_learn_files as estimators
from tests.scoring.documents import (
    Features,
    Floats,
    binned,
    by_numpy,
    cut_by,
    features_table,
    logistic,
    scores_of,
)

ROWS = 120


@dataclass(frozen=True)
class Case:
    model: ScoringModel
    features: Mapping[str, Any]
    expected: Floats
    tolerance: float


def binned_logistic() -> Case:
    jobs = VariableBins(
        name="job",
        rule=Rule.CATEGORY,
        categories=("clerk", 'o\'hara \\ "x" ${y}', "é", ""),
        other_bin=5,
        has_missing_bin=True,
        labels=("missing", "clerk", "o'hara", "é", "empty", "other"),
    )
    terms = [
        binned(cut_by("income", Rule.QUANTILE, [-1.5, 0.1, 1 / 3], missing=True), range_of(5)),
        binned(cut_by("balance", Rule.SIGN, [BELOW_ZERO, 0.0]), range_of(3)),
        binned(cut_by("visits", Rule.ZERO_NONZERO, [0.0], missing=True), range_of(3)),
        binned(cut_by("card", Rule.PRESENCE, missing=True), range_of(2)),
        binned(jobs, range_of(6)),
    ]
    model = logistic(*terms, intercept=-0.1, model_id="binned")
    numbers = [None, -1.5, 0.1, 0.1 + 2**-56, 1 / 3, 1e308, -1e308, 0.0, -0.0, 1e-300]
    features: Features = {
        "income": numbers,
        "balance": numbers[::-1],
        "visits": [*numbers[3:], *numbers[:3]],
        "card": [None, 1.0] * 5,
        "job": [
            None,
            "clerk",
            'o\'hara \\ "x" ${y}',
            "é",
            "",
            "judge",
            "e\u0301",
            "Clerk",
            " ",
            "a",
        ],
    }
    chances = combine("sigmoid", [by_numpy(model, features)])
    return Case(model, features, chances, 1e-9)


def range_of(count: int) -> list[float]:
    return [(-1) ** place / (place + 3) for place in range(count)]


def softmax() -> Case:
    def pipeline() -> Any:
        return make_pipeline(SimpleImputer(), StandardScaler(), linear_model.LogisticRegression())

    return of_estimator("softmax", estimators.fitted(pipeline, "three", missing=True), 1e-9)


def forest() -> Case:
    def trees() -> Any:
        return ensemble.RandomForestClassifier(5, random_state=1)

    return of_estimator("forest", estimators.fitted(trees, "two", missing=True), 1e-9)


def linear() -> Case:
    estimator = estimators.fitted(linear_model.LinearRegression, "value")
    return of_estimator("linear", estimator, 1e-9, missing=False)


def perceptron() -> Case:
    make, labels, tolerance = estimators.COMPLETE[5]
    return of_estimator("perceptron", estimators.fitted(make, labels), tolerance, missing=False)


def of_estimator(name: str, estimator: Any, tolerance: float, *, missing: bool = True) -> Case:
    table = estimators.rows(1, missing=missing, count=ROWS)
    source = Source(name, "1" * 64, feature_names=estimators.NAMES)
    model = read_scikit_learn(pickle.dumps(estimator), source)
    features = boosted.features(table, estimators.NAMES)
    return Case(model, features, estimators.expected(estimator, table), tolerance)


def extreme_rows() -> Floats:
    extremes = [value for value in boosted.TINY + boosted.HUGE if abs(value) < 3.4e38]
    return boosted.to_score(extremes, [0, 1, 2, 3, 4, 5, 6, 99, np.nan])[:ROWS]


def lightgbm_categories() -> Case:
    booster = boosted.lightgbm_model("binary", categorical=True, min_data_per_group=1, cat_smooth=1)
    model = read_lightgbm(booster.model_to_string().encode(), Source("lightgbm", "2" * 64))
    table = extreme_rows()
    chances = np.asarray(booster.predict(table), np.float64)
    return Case(model, boosted.features(table), chances, 1e-9)


def lightgbm_zero_as_missing() -> Case:
    booster = boosted.lightgbm_model("binary", zero_as_missing=True)
    model = read_lightgbm(booster.model_to_string().encode(), Source("zeros", "3" * 64))
    table = extreme_rows()
    chances = np.asarray(booster.predict(table), np.float64)
    return Case(model, boosted.features(table), chances, 1e-9)


def xgboost_classes() -> Case:
    booster = boosted.xgboost_model("multi:softprob")
    model = read_xgboost(bytes(booster.save_raw("ubj")), Source("xgboost", "4" * 64))
    table = extreme_rows()
    chances = booster.predict(xgboost.DMatrix(table, feature_names=boosted.NAMES))
    return Case(model, boosted.features(table), np.asarray(chances, np.float64), 1e-6)


CASES = {
    made.__name__: cache(made)
    for made in (
        binned_logistic,
        linear,
        softmax,
        forest,
        lightgbm_categories,
        lightgbm_zero_as_missing,
        xgboost_classes,
        perceptron,
    )
}


@pytest.mark.parametrize("case", CASES)
def test_a_stored_model_scores_as_its_library(engine: Engine, case: str) -> None:
    made = CASES[case]()
    tables = ModelTables(engine)
    stored = tables.store(made.model)
    assert tables.store(made.model) == stored
    assert tables.load(made.model.model_id) == made.model
    table = features_table(engine, made.features, made.model.text_inputs)
    scores = scores_of(engine, tables.score_query(made.model.model_id, table))
    parts = [scores if made.model.outputs > 1 else scores[:, 0]]
    found = combine(made.model.combination, parts)
    np.testing.assert_allclose(found, made.expected, rtol=made.tolerance, atol=made.tolerance)
    assert found.std() > 0.01
