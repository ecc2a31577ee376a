"""Boosted trees from XGBoost's and LightGBM's files score by SQL as the libraries do (C4)."""

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost

from scoring.combining import combine
from scoring.engines.engine import Engine
from scoring.errors import ModelFileError
from scoring.files.lightgbm import read_lightgbm
from scoring.files.source import Source, check_columns
from scoring.files.xgboost import read_xgboost
from scoring.model_tables import ModelTables
from scoring.models import TreeModel
from tests.scoring.documents import DIGEST, Floats, scored

NAMES = ["income", "age", "visits", "region"]
SOURCE = Source("boosted", DIGEST)
TINY = [0.0, -0.0, 1e-36, -1e-36, 1.0000000180025095e-35, 2e-35, -2e-35]
HUGE = [1e300, -1e300, 3.4028235677973366e38, 3.5e38, -3.5e38, 1e-300]


def rows(count: int = 400, seed: int = 0) -> Floats:
    """Numbers of few digits, so that many equal a threshold; missing values; categories 0 to 6."""
    random = np.random.default_rng(seed)
    table = np.round(random.normal(size=(count, 4)), 1)
    table[:, 2] = random.choice([0.0, 0.0, 1.0, 2.0, 5.0], count)
    table[:, 3] = random.integers(0, 7, count)
    table[random.random((count, 4)) < 0.1] = np.nan
    return table


def classes(count: int = 3) -> Floats:
    table = np.nan_to_num(rows(), nan=0.7)
    signal = table[:, 0] - table[:, 1] * table[:, 2] + np.sin(table[:, 3] * 2)
    edges = np.quantile(signal, np.linspace(0, 1, count + 1)[1:-1])
    return np.digitize(signal, edges).astype(np.float64)


def to_score(extremes: Sequence[float], categories: Sequence[float] = (0, 3, 6, 99)) -> Floats:
    """Rows of another seed, and an extreme value in every column but the categories'."""
    table = rows(200, seed=1)
    for place, value in enumerate(extremes):
        table[place * 3 : place * 3 + 3, :3][np.diag_indices(3)] = value
    table[100 : 100 + len(categories), 3] = categories
    return table


def features(table: Floats, names: Sequence[str] = NAMES) -> dict[str, list[float | None]]:
    return {
        name: [None if np.isnan(value) else float(value) for value in column]
        for name, column in zip(names, table.T, strict=True)
    }


def predictions(engine: Engine, model: TreeModel, table: Floats) -> Floats:
    """Of the model's document, and the same of the document that the tables give back."""
    stored = ModelTables(engine).store(model)
    again = ModelTables(engine).load(model.model_id, stored.version)
    assert again == model
    found = scored(engine, model, features(table))
    combined = combine(model.combination, [found])
    return combined[:, 0] if model.outputs == 1 else combined


@cache
def lightgbm_model(objective: str, **settings: Any) -> lightgbm.Booster:
    options = {"objective": objective, "num_leaves": 9, "verbose": -1, "min_data_in_leaf": 5}
    labels = classes(3 if objective == "multiclass" else 2)
    if objective == "regression":
        labels = np.nan_to_num(rows()[:, 0]) * 3 + labels
    if objective == "multiclass":
        options["num_class"] = 3
    columns = ["region"] if settings.pop("categorical", False) else []
    data = lightgbm.Dataset(rows(), labels, feature_name=NAMES, categorical_feature=columns)
    return lightgbm.train(options | settings, data, 12)


LIGHTGBM_SETTINGS: list[dict[str, Any]] = [
    {},
    {"use_missing": False},
    {"zero_as_missing": True},
    {"boosting": "rf", "bagging_fraction": 0.7, "bagging_freq": 1},
    {"boosting": "dart"},
    {"sigmoid": 0.5},
]


@pytest.mark.parametrize("settings", LIGHTGBM_SETTINGS, ids=str)
def test_lightgbm_chances(engine: Engine, settings: dict[str, Any]) -> None:
    booster = lightgbm_model("binary", **settings)
    model = read_lightgbm(booster.model_to_string().encode(), SOURCE)
    table = to_score(TINY + HUGE)
    found = predictions(engine, model, table)
    np.testing.assert_allclose(found, booster.predict(table), rtol=0, atol=1e-9)
    assert found.std() > 0.01


@pytest.mark.parametrize("objective", ["multiclass", "regression"])
def test_lightgbm_classes_and_values(engine: Engine, objective: str) -> None:
    booster = lightgbm_model(objective)
    model = read_lightgbm(booster.model_to_string().encode(), SOURCE)
    table = to_score(TINY + HUGE)
    found = predictions(engine, model, table)
    np.testing.assert_allclose(found, booster.predict(table), rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("use_missing", [True, False])
def test_lightgbm_categories(engine: Engine, use_missing: bool) -> None:
    """Unseen ones and missing ones included."""
    booster = lightgbm_model(
        "binary", categorical=True, use_missing=use_missing, min_data_per_group=1, cat_smooth=1
    )
    model = read_lightgbm(booster.model_to_string().encode(), SOURCE)
    assert any(feature.form == "category" for feature in model.features)
    table = to_score(HUGE, [0, 1, 2, 3, 4, 5, 6, 7, 99, np.nan])
    found = predictions(engine, model, table)
    np.testing.assert_allclose(found, booster.predict(table), rtol=0, atol=1e-9)


def test_lightgbm_categories_of_a_data_frame_are_its_texts(engine: Engine) -> None:
    """Pandas numbers its categories; the file lists them at its end."""
    booster = lightgbm_model("binary", categorical=True, min_data_per_group=1, cat_smooth=1)
    named = ["north", "south", "east", "west", "o'hara", "", "é"]
    text = booster.model_to_string() + f"\npandas_categorical:{json.dumps([named])}\n"
    model = read_lightgbm(text.encode(), SOURCE)
    assert model.text_inputs == {"region"}
    table = to_score(HUGE, [0, 1, 2, 3, 4, 5, 6, np.nan])
    by_name: dict[str, Any] = features(table)
    by_name["region"] = [None if code is None else named[int(code)] for code in by_name["region"]]
    by_name["region"][-1] = "never seen"
    table[-1, 3] = 98
    found = combine("sigmoid", [scored(engine, model, by_name)])[:, 0]
    np.testing.assert_allclose(found, booster.predict(table), rtol=0, atol=1e-9)


@cache
def xgboost_model(objective: str, **settings: Any) -> xgboost.Booster:
    labels = classes(3 if objective.startswith("multi") else 2)
    if objective == "reg:squarederror":
        labels = np.nan_to_num(rows()[:, 0]) * 3 + labels
    options = {"objective": objective, "max_depth": 4, "nthread": 1, "seed": 1}
    if objective.startswith("multi"):
        options["num_class"] = 3
    data = xgboost.DMatrix(rows(), labels, feature_names=NAMES)
    return xgboost.train(options | settings, data, 12)


XGBOOST: list[tuple[str, dict[str, Any]]] = [
    ("binary:logistic", {}),
    ("binary:logistic", {"base_score": 0.25, "num_parallel_tree": 2, "subsample": 0.7}),
    ("binary:logistic", {"booster": "dart", "rate_drop": 0.3}),
    ("multi:softprob", {}),
    ("reg:squarederror", {}),
    ("reg:squarederror", {"tree_method": "exact"}),
]


@pytest.mark.parametrize("form", ["json", "ubj"])
@pytest.mark.parametrize(("objective", "settings"), XGBOOST, ids=str)
def test_xgboost_predictions(
    engine: Engine, objective: str, settings: dict[str, Any], form: str
) -> None:
    booster = xgboost_model(objective, **settings)
    model = read_xgboost(bytes(booster.save_raw(form)), SOURCE)
    table = to_score([*TINY, *(value for value in HUGE if abs(value) < 3.4e38)])
    found = predictions(engine, model, table)
    expected = booster.predict(xgboost.DMatrix(table, feature_names=NAMES))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    assert found.std() > 0.01


def test_xgboost_compares_single_precision_on_the_threshold_itself(engine: Engine) -> None:
    """Each threshold, its neighbours in both precisions, and the points half way between."""
    booster = xgboost_model("reg:squarederror")
    model = read_xgboost(bytes(booster.save_raw("json")), SOURCE)
    thresholds = [
        node.threshold
        for tree in model.trees
        for node in tree.nodes
        if node.form == "split" and node.threshold is not None
    ]
    singles = np.unique(np.array(thresholds, np.float32))
    around = [np.nextafter(singles, np.float32(side)) for side in (-np.inf, np.inf)]
    halves = [(singles.astype(float) + side.astype(float)) / 2 for side in around]
    doubles = np.concatenate([singles.astype(float), *around, *halves])
    doubles = np.concatenate([doubles, np.nextafter(doubles, 9), np.nextafter(doubles, -9)])
    table = np.repeat(doubles[:, None], 4, axis=1)
    expected = booster.predict(xgboost.DMatrix(table, feature_names=NAMES))
    found = predictions(engine, model, table)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_only_columns_that_a_split_looks_at_are_read() -> None:
    table = np.column_stack([np.arange(50.0), np.zeros(50)])
    data = xgboost.DMatrix(table, table[:, 0], feature_names=["used", "unused"])
    booster = xgboost.train({"max_depth": 2, "nthread": 1}, data, 2)
    model = read_xgboost(bytes(booster.save_raw("json")), SOURCE)
    assert model.inputs == ("used",)
    check_columns(model, {"used", "other"})
    with pytest.raises(ModelFileError, match="columns that are not here: used"):
        check_columns(model, {"other"})


def test_features_without_names_need_them_given() -> None:
    data = lightgbm.Dataset(rows(), classes(2))
    booster = lightgbm.train({"objective": "binary", "verbose": -1}, data, 2)
    with pytest.raises(ModelFileError, match="not named in its file"):
        read_lightgbm(booster.model_to_string().encode(), SOURCE)
    source = Source("boosted", DIGEST, feature_names=tuple(NAMES))
    model = read_lightgbm(booster.model_to_string().encode(), source)
    assert set(model.inputs) <= set(NAMES)
    unnamed = xgboost.train({"nthread": 1}, xgboost.DMatrix(rows(), classes(2)), 2)
    with pytest.raises(ModelFileError, match="not named in its file"):
        read_xgboost(bytes(unnamed.save_raw("json")), SOURCE)
    short = Source("boosted", DIGEST, feature_names=("a", "b"))
    with pytest.raises(ModelFileError, match="2 names are given to the model's 4 features"):
        read_xgboost(bytes(unnamed.save_raw("json")), short)


def test_what_cannot_be_scored_exactly_is_refused_by_name() -> None:
    for change, reason in (
        (("objective=binary sigmoid:1", "objective=poisson"), "objective poisson"),
        (("is_linear=0", "is_linear=1"), "linear models in their leaves"),
        (("left_child=", "left_child=0 "), "cannot be read"),
        (("\nend of trees", "\n"), "cut off"),
    ):
        text = lightgbm_model("binary").model_to_string().replace(*change)
        with pytest.raises(ModelFileError, match=reason):
            read_lightgbm(text.encode(), SOURCE)
    document = json.loads(xgboost_model("binary:logistic").save_raw("json"))
    learner = document["learner"]
    trees = learner["gradient_booster"]["model"]["trees"]
    for place, key, value, reason in (
        (learner["objective"], "name", "count:poisson", "objective count:poisson"),
        (learner["attributes"], "best_iteration", "3", "its best is 3"),
        (trees[0], "split_type", [1], "categorical splits"),
        (trees[0]["tree_param"], "size_leaf_vector", "3", "several values"),
        (trees[0], "left_children", [0], "leads back"),
        (trees[0], "left_children", [10**6], "has no node 1000000"),
    ):
        before = place.get(key)
        place[key] = value
        with pytest.raises(ModelFileError, match=reason):
            read_xgboost(json.dumps(document).encode(), SOURCE)
        place[key] = before
        if before is None:
            del place[key]
    assert read_xgboost(json.dumps(document).encode(), SOURCE).outputs == 1


@pytest.mark.parametrize("keep", [1, 40, 0.5, -1])
def test_files_that_were_cut_off_are_refused(keep: float) -> None:
    for form in ("json", "ubj"):
        content = bytes(xgboost_model("binary:logistic").save_raw(form))
        end = int(keep * len(content)) if isinstance(keep, float) else int(keep)
        with pytest.raises(ModelFileError):
            read_xgboost(content[:end], SOURCE)
