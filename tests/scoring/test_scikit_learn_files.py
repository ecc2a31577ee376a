"""scikit-learn's estimators from their files score by SQL as scikit-learn does (C4)."""

import io
import pickle
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn import ensemble, linear_model, neural_network, tree
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from scoring.combining import combine
from scoring.engines.engine import Engine
from scoring.errors import ModelFileError
from scoring.files.scikit_learn import read_scikit_learn
from scoring.files.source import Source
from scoring.model_tables import ModelTables
from tests.scoring.documents import DIGEST, Floats, scored

NAMES = ("income", "age", "visits")
SOURCE = Source("estimator", DIGEST, feature_names=NAMES)
EXACT, SINGLE = 1e-9, 1e-6


def rows(seed: int, *, missing: bool = False, count: int = 300) -> Floats:
    random = np.random.default_rng(seed)
    table = np.round(random.normal(size=(count, 3)), 1) * [1, 30, 1e4] + [0, 50, 1e6]
    if missing:
        table[random.random(table.shape) < 0.15] = np.nan
    return table


def signal() -> Floats:
    table: Floats = (rows(0) - [0, 50, 1e6]) / [1, 30, 1e4]
    return table[:, 0] - table[:, 1] * table[:, 2]


TARGETS: dict[str, Callable[[], Any]] = {
    "two": lambda: (signal() > 0).astype(int),
    "three": lambda: np.array(["no", "maybe", "yes"])[np.digitize(signal(), [-0.5, 0.5])],
    "value": lambda: signal() * 3 + 1,
}
Make = Callable[[], Any]
LINEAR: list[tuple[Make, str, float]] = [
    (linear_model.LogisticRegression, "two", EXACT),
    (linear_model.LogisticRegression, "three", EXACT),
    (lambda: linear_model.LogisticRegression(fit_intercept=False), "two", EXACT),
    (linear_model.LinearRegression, "value", EXACT),
    (lambda: linear_model.Ridge(fit_intercept=False), "value", EXACT),
    (linear_model.Lasso, "value", EXACT),
]
TREES: list[tuple[Make, str, float]] = [
    (tree.DecisionTreeClassifier, "two", EXACT),
    (lambda: tree.DecisionTreeClassifier(max_depth=4), "three", EXACT),
    (tree.DecisionTreeRegressor, "value", EXACT),
    (tree.ExtraTreeClassifier, "two", EXACT),
    (lambda: ensemble.RandomForestClassifier(7, random_state=1), "two", EXACT),
    (lambda: ensemble.RandomForestClassifier(7, max_depth=3, random_state=1), "three", EXACT),
    (lambda: ensemble.RandomForestRegressor(7, random_state=1), "value", EXACT),
    (lambda: ensemble.ExtraTreesRegressor(3, random_state=1), "value", EXACT),
    (lambda: ensemble.HistGradientBoostingClassifier(max_iter=9), "two", EXACT),
    (lambda: ensemble.HistGradientBoostingClassifier(max_iter=9), "three", EXACT),
    (lambda: ensemble.HistGradientBoostingRegressor(max_iter=9), "value", EXACT),
]
COMPLETE: list[tuple[Make, str, float]] = [
    (lambda: ensemble.GradientBoostingClassifier(n_estimators=9), "two", EXACT),
    (lambda: ensemble.GradientBoostingClassifier(n_estimators=9), "three", EXACT),
    (lambda: ensemble.GradientBoostingClassifier(n_estimators=9, init="zero"), "two", EXACT),
    (lambda: ensemble.GradientBoostingRegressor(n_estimators=9, loss="huber"), "value", EXACT),
    (lambda: make_pipeline(StandardScaler(), network("Classifier", "relu")), "two", SINGLE),
    (lambda: make_pipeline(StandardScaler(), network("Classifier", "tanh")), "three", SINGLE),
    (lambda: make_pipeline(StandardScaler(), network("Regressor", "logistic")), "value", SINGLE),
    (lambda: make_pipeline(StandardScaler(), tree.DecisionTreeRegressor()), "value", EXACT),
]
FILLED: list[tuple[Make, str, float]] = [
    (
        lambda: make_pipeline(SimpleImputer(), StandardScaler(), linear_model.LogisticRegression()),
        "two",
        EXACT,
    ),
    (lambda: make_pipeline(SimpleImputer(), tree.DecisionTreeClassifier()), "two", EXACT),
    (
        lambda: make_pipeline(
            SimpleImputer(strategy="median"),
            "passthrough",
            StandardScaler(),
            network("Classifier", "relu"),
        ),
        "two",
        SINGLE,
    ),
]


def network(kind: str, activation: str) -> Any:
    make = getattr(neural_network, f"MLP{kind}")
    return make(hidden_layer_sizes=(8, 4), activation=activation, max_iter=30, random_state=1)


def fitted(make: Make, labels: str, *, missing: bool = False) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make().fit(rows(0, missing=missing), TARGETS[labels]())


def expected(estimator: Any, table: Floats) -> Floats:
    if not hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict(table), np.float64)
    chances = np.asarray(estimator.predict_proba(table), np.float64)
    return chances[:, 1] if chances.shape[1] == 2 else chances


def by_sql(engine: Engine, content: bytes, table: Floats) -> Floats:
    """By the document that the tables give back."""
    model = read_scikit_learn(content, SOURCE)
    stored = ModelTables(engine).store(model)
    again = ModelTables(engine).load(model.model_id, stored.version)
    assert again == model
    columns = {
        name: [None if np.isnan(value) else float(value) for value in column]
        for name, column in zip(NAMES, table.T, strict=True)
    }
    found = combine(again.combination, [scored(engine, again, columns)])
    return found[:, 0] if again.outputs == 1 else found


def compare(engine: Engine, estimator: Any, table: Floats, tolerance: float) -> None:
    found = by_sql(engine, pickle.dumps(estimator), table)
    np.testing.assert_allclose(found, expected(estimator, table), rtol=tolerance, atol=tolerance)
    assert found.std() > 0.01


@pytest.mark.parametrize("place", range(len(LINEAR)))
def test_linear_models(engine: Engine, place: int) -> None:
    make, labels, tolerance = LINEAR[place]
    compare(engine, fitted(make, labels), rows(1), tolerance)


@pytest.mark.parametrize("place", range(len(TREES)))
def test_trees_and_forests_with_missing_values(engine: Engine, place: int) -> None:
    make, labels, tolerance = TREES[place]
    compare(engine, fitted(make, labels, missing=True), rows(1, missing=True), tolerance)


@pytest.mark.parametrize("place", range(len(COMPLETE)))
def test_boosting_and_networks(engine: Engine, place: int) -> None:
    make, labels, tolerance = COMPLETE[place]
    compare(engine, fitted(make, labels), rows(1), tolerance)


@pytest.mark.parametrize("place", range(len(FILLED)))
def test_pipelines_fill_and_scale(engine: Engine, place: int) -> None:
    make, labels, tolerance = FILLED[place]
    compare(engine, fitted(make, labels, missing=True), rows(1, missing=True), tolerance)


def test_a_number_that_a_model_needs_and_lacks_gives_no_score(engine: Engine) -> None:
    """scikit-learn refuses the whole table; by SQL the row alone has no score."""
    table = rows(1, count=3)
    table[1, 0] = np.nan
    for make, labels, _ in (LINEAR[0], COMPLETE[4]):
        found = by_sql(engine, pickle.dumps(fitted(make, labels)), table)
        assert np.isnan(found).tolist() == [False, True, False]


@cache
def forest() -> Any:
    return fitted(TREES[4][0], "two")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol_of_pickle(engine: Engine, protocol: int) -> None:
    found = by_sql(engine, pickle.dumps(forest(), protocol), rows(1))
    np.testing.assert_allclose(found, expected(forest(), rows(1)), atol=EXACT)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_files_of_joblib(engine: Engine, protocol: int) -> None:
    file = io.BytesIO()
    joblib.dump(forest(), file, protocol=protocol)
    found = by_sql(engine, file.getvalue(), rows(1))
    np.testing.assert_allclose(found, expected(forest(), rows(1)), atol=EXACT)


def test_names_come_from_the_file_where_it_has_them() -> None:
    estimator = fitted(LINEAR[0][0], "two")
    with pytest.raises(ModelFileError, match="not named in its file"):
        read_scikit_learn(pickle.dumps(estimator), Source("m", DIGEST))
    estimator.feature_names_in_ = np.array(NAMES, object)
    model = read_scikit_learn(pickle.dumps(estimator), Source("m", DIGEST))
    assert model.inputs == NAMES


class OneOfOurOwn(linear_model.LinearRegression):  # type: ignore[misc]
    pass


REFUSED: list[tuple[Make, str, str]] = [
    (linear_model.HuberRegressor, "value", "_huber.HuberRegressor, which is not admitted"),
    (OneOfOurOwn, "value", "OneOfOurOwn, which is not admitted"),
    (SimpleImputer, "two", "SimpleImputer is not supported"),
    (
        lambda: ensemble.GradientBoostingClassifier(n_estimators=2, loss="exponential"),
        "two",
        "ExponentialLoss, which is not admitted",
    ),
    (
        lambda: ensemble.GradientBoostingRegressor(n_estimators=2, init=linear_model.Ridge()),
        "value",
        "an estimator of one's own",
    ),
    (
        lambda: make_pipeline(
            StandardScaler(), SimpleImputer(), tree.DecisionTreeClassifier(max_depth=2)
        ),
        "two",
        "fills missing values once, and then scales",
    ),
    (
        lambda: make_pipeline(SimpleImputer(add_indicator=True), tree.DecisionTreeClassifier()),
        "two",
        "indicator",
    ),
]


@pytest.mark.parametrize("place", range(len(REFUSED)))
def test_what_cannot_be_scored_is_refused_by_name(place: int) -> None:
    make, labels, reason = REFUSED[place]
    with pytest.raises(ModelFileError, match=reason):
        read_scikit_learn(pickle.dumps(fitted(make, labels)), SOURCE)


def test_an_estimator_that_was_never_fitted_is_refused() -> None:
    for estimator in (linear_model.LinearRegression(), tree.DecisionTreeClassifier()):
        with pytest.raises(ModelFileError, match="is it fitted"):
            read_scikit_learn(pickle.dumps(estimator), SOURCE)
