"""Models in tables: stored once, whole or not at all, and read back to the bit (C2)."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.vocabulary import Role
from learning.binning import Rule, VariableBins
from scoring.engines.engine import Engine
from scoring.errors import EngineError, ModelTableError
from scoring.expressions import partial_score_query
from scoring.linear_tables import weight_tables
from scoring.model_rows import batch
from scoring.model_tables import VERSIONS, ModelTables
from scoring.models.document import NumberInput
from scoring.models.linear import BinnedTerm, LinearModel, NumberTerm
from tests.scoring.documents import (
    DIGEST,
    Features,
    binned,
    by_numpy,
    cut_by,
    features_table,
    logistic,
    scores_of,
)

NOON = datetime(2026, 1, 2, 12, 0, 0, 123456, tzinfo=UTC)
JOBS = VariableBins(
    name="job",
    rule=Rule.CATEGORY,
    categories=("clerk", "o'hara \\"),
    other_bin=3,
    has_missing_bin=True,
    labels=("missing", "clerk", "o'hara \\", "other"),
    merged=7,
)


def terms() -> list[BinnedTerm]:
    income = cut_by("income", Rule.QUANTILE, [-1.5, 0.1, 1 / 3], missing=True)
    return [binned(income, [0.1, -0.2, 1 / 3, 1e-7, 2.0**-24]), binned(JOBS, [4.0, 3.0, 2.0, 0.7])]


@pytest.fixture(autouse=True)
def _empty(engine: Engine) -> None:
    for name in (
        "model_versions",
        "model_variables",
        "model_bins",
        *(weight_tables(role, width)[0].name for role in Role for width in range(1, 20)),
    ):
        engine.drop(name)


@pytest.mark.parametrize("role", [Role.LOCAL, Role.PARTICIPANT])
def test_a_model_comes_back_from_the_tables_alone(engine: Engine, role: Role) -> None:
    model = logistic(*terms(), intercept=0.1 if role is Role.LOCAL else None, role=role)
    stored = ModelTables(engine).store(model, NOON)
    assert (stored.model_id, stored.version, stored.kind) == ("spring", 1, "logistic")
    assert (stored.digest, stored.converted_at) == (DIGEST, NOON)
    assert ModelTables(engine).load("spring") == model


def test_the_wide_row_is_that_of_the_requirement(engine: Engine) -> None:
    """Local `Model_id, Intercept, W_a1 … W_ak`, participant `Model_id, …, W_b1 … W_bm`."""
    ModelTables(engine).store(logistic(*terms(), intercept=0.1), NOON)
    columns = engine.columns("model_weights_a9")
    assert columns is not None
    names = [column.name for column in columns]
    assert names[2:] == ["model_id", "intercept", *(f"w_a{place}" for place in range(1, 10))]
    assert weight_tables(Role.PARTICIPANT, 2)[0].columns[-1].name == "w_b2"


def test_the_same_document_twice_changes_nothing(engine: Engine) -> None:
    model = logistic(*terms(), intercept=0.1)
    first = ModelTables(engine).store(model, NOON)
    again = ModelTables(engine).store(model, datetime(2027, 1, 1, tzinfo=UTC))
    assert again == first
    assert ModelTables(engine).versions("spring") == (first,)


def test_a_new_version_is_a_new_row_and_old_ones_stay(engine: Engine) -> None:
    tables = ModelTables(engine)
    first, second = (logistic(*terms(), intercept=value) for value in (0.1, 0.2))
    other = logistic(*terms(), intercept=0.1, model_id="autumn")
    assert [tables.store(one, NOON).version for one in (first, second, other)] == [1, 2, 1]
    assert tables.load("spring", 1) == first
    assert tables.load("spring") == second
    assert tables.load("autumn") == other
    assert [one.model_id for one in tables.versions()] == ["autumn", "spring", "spring"]


@pytest.mark.parametrize("failing", [VERSIONS.name, "model_bins", "model_weights_a9"])
def test_half_a_conversion_is_not_seen_and_the_next_try_finishes_it(
    engine: Engine, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, append = logistic(*terms(), intercept=0.1), engine.append

    def broken(table, batches):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        if table.name == failing:
            raise EngineError("killed here")
        return append(table, batches)

    tables = ModelTables(engine)
    monkeypatch.setattr(engine, "append", broken)
    with pytest.raises(EngineError, match="killed"):
        tables.store(model, NOON)
    assert tables.versions("spring") == ()
    with pytest.raises(ModelTableError, match="no model spring"):
        tables.load("spring")
    monkeypatch.undo()
    assert tables.store(model, NOON).version == 1
    assert tables.load("spring") == model


def test_rows_that_someone_changed_are_no_model(engine: Engine) -> None:
    tables = ModelTables(engine)
    tables.store(logistic(*terms(), intercept=0.1), NOON)
    changed, content = weight_tables(Role.LOCAL, 9)[0], tables.stored("spring").content
    engine.drop(changed.name)
    engine.ensure(changed)
    engine.append(changed, [batch(changed, [(content, 0, "spring", 0.1, *map(float, range(9)))])])
    with pytest.raises(ModelTableError, match="are not as they were stored"):
        tables.load("spring")


def test_thousands_of_weights_are_spread_over_numbered_tables(engine: Engine) -> None:
    """At the source's 3,000 features no engine takes them in one row (P6)."""
    names = [f"v{place}" for place in range(1_000)]
    terms = [
        binned(cut_by(name, Rule.VALUES, [0.0, 1.0]), [place, 0.5, -place / 3])
        for place, name in enumerate(names)
    ]
    model = logistic(*terms, intercept=0.25, model_id="wide")
    tables = ModelTables(engine)
    assert tables.store(model, NOON) == tables.store(model, NOON)
    assert tables.load("wide") == model
    last = engine.columns("model_weights_a3000_4")
    assert last is not None
    assert [column.name for column in last][4:6] == ["w_a2401", "w_a2402"]
    features: Features = {name: [float(place % 3), None] for place, name in enumerate(names)}
    found = scores_of(engine, tables.score_query("wide", features_table(engine, features)))
    np.testing.assert_allclose(found[:, 0], by_numpy(model, features), rtol=1e-12)


def test_unknown_models_and_versions_are_named(engine: Engine) -> None:
    tables = ModelTables(engine)
    with pytest.raises(ModelTableError, match="no model spring here: convert it first"):
        tables.load("spring")
    tables.store(logistic(*terms()), NOON)
    with pytest.raises(ModelTableError, match="no model version 2 of spring"):
        tables.load("spring", 2)


def test_scores_by_the_table_are_those_of_training(engine: Engine) -> None:
    model = logistic(*terms(), intercept=0.1)
    tables = ModelTables(engine)
    tables.store(logistic(*terms(), intercept=77.0), NOON)
    tables.store(model, NOON)
    features: Features = {
        "income": [-1.5, None, 0.1, 0.11, 1 / 3, 9.0],
        "job": ["clerk", "o'hara \\", None, "judge", "", "clerk"],
    }
    table = features_table(engine, features, model.text_inputs)
    found = scores_of(engine, tables.score_query("spring", table))
    np.testing.assert_allclose(found[:, 0], by_numpy(model, features), rtol=1e-15)
    earlier = scores_of(engine, tables.score_query("spring", table, version=1))
    np.testing.assert_allclose(earlier[:, 0] - found[:, 0], np.full(6, 76.9), rtol=1e-12)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_softmax_by_the_table_is_softmax_by_literals(engine: Engine, data: st.DataObject) -> None:
    numbers = st.floats(-1e9, 1e9, allow_subnormal=False)
    pairs = st.lists(st.tuples(numbers, numbers), min_size=4, max_size=4)
    several = st.lists(numbers, min_size=4, max_size=4).map(tuple)
    model = LinearModel(
        model_id="m", digest=DIGEST, kind="softmax", combination="softmax", outputs=4,
        intercepts=data.draw(st.none() | several),
        terms=(
            NumberTerm(input=NumberInput(name="a", fill=1.5), weights=data.draw(several)),
            binned(cut_by("b", Rule.VALUES, [0.5]), *data.draw(pairs)),
        ),
    )  # fmt: skip
    tables = ModelTables(engine)
    version = tables.store(model, NOON).version
    assert tables.load("m", version) == model
    table = features_table(engine, {"a": [0.25, None, -3.0], "b": [None, 0.5, 1.0]})
    found = scores_of(engine, tables.score_query("m", table, version))
    literal = scores_of(engine, partial_score_query(model, table, engine.dialect))
    np.testing.assert_array_equal(found, literal)
