"""Weighted sums by SQL are those of training, on every engine (C3, P3, P5)."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from learning.binning import BELOW_ZERO, Rule, VariableBins, apply_bins
from scoring.combining import combine
from scoring.engines.engine import Engine
from scoring.expressions import partial_score_query
from scoring.models.document import NumberInput
from scoring.models.linear import LinearModel, NumberTerm
from tests.scoring.documents import (
    DIGEST,
    Features,
    binned,
    by_numpy,
    cut_by,
    features_table,
    logistic,
    scored,
    scores_of,
)

SEVERAL = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# Of ordinary size, and of a size near which an engine could stumble.
NUMBERS = st.one_of(
    st.floats(-1e6, 1e6).map(lambda value: round(value, 3)),
    st.floats(-1e100, 1e100, allow_subnormal=False),
    st.sampled_from([0.0, -0.0, 0.1, 1e300, -1e300, 2.0**53, BELOW_ZERO]),
)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)
AWKWARD_TEXTS = [
    "",
    " ",
    "a ",
    "a",
    "A",
    "o'hara",
    'say "x"',
    "back\\slash",
    "${x}",
    "%s",
    "é",
    "é",
]
EXTREMES = [None, 0.0, -0.0, 1e-300, -1e-300, 0.1, 0.1 + 2**-56, 1e308, -1e308, BELOW_ZERO]


@st.composite
def cuts(draw: st.DrawFn, name: str) -> VariableBins:
    missing = draw(st.booleans())
    rule = draw(st.sampled_from([Rule.QUANTILE, Rule.ZERO_NONZERO, Rule.SIGN, Rule.VALUES]))
    edges = sorted({edge + 0.0 for edge in draw(st.lists(NUMBERS, min_size=1, max_size=6))})
    fixed = {Rule.ZERO_NONZERO: [0.0], Rule.SIGN: [BELOW_ZERO, 0.0]}
    return cut_by(name, rule, fixed.get(rule, edges), missing=missing)


@st.composite
def category_cuts(draw: st.DrawFn, name: str) -> VariableBins:
    texts = st.one_of(st.sampled_from(AWKWARD_TEXTS), TEXTS)
    categories = tuple(draw(st.lists(texts, min_size=2, max_size=6, unique=True)))
    missing, other = draw(st.booleans()), draw(st.booleans())
    labels = ("missing",) * missing + categories + ("other",) * other
    return VariableBins(
        name=name,
        rule=Rule.CATEGORY,
        categories=categories,
        other_bin=len(labels) - 1 if other else draw(st.integers(0, len(labels) - 1)),
        has_missing_bin=missing,
        labels=labels,
    )


@SEVERAL
@given(data=st.data())
def test_random_bins_score_as_training_cuts(engine: Engine, data: st.DataObject) -> None:
    """Edges themselves, their neighbours, missing values and unseen categories included."""
    numbers, category = data.draw(cuts("income")), data.draw(category_cuts("job"))
    weights = st.lists(st.floats(-9, 9), min_size=9, max_size=9)
    terms = [binned(cut, data.draw(weights)[: cut.bins]) for cut in (numbers, category)]
    model = logistic(*terms, intercept=data.draw(st.none() | st.floats(-9, 9)))
    near = [value for edge in numbers.edges for value in _neighbours(edge)]
    drawn = data.draw(st.lists(st.none() | NUMBERS, min_size=5, max_size=5))
    incomes = [*near, *EXTREMES, *drawn]
    known = [None, "never seen", *AWKWARD_TEXTS, *category.categories]
    jobs = [known[place % len(known)] for place in range(max(len(incomes), len(known)))]
    incomes += [None] * (len(jobs) - len(incomes))
    features: Features = {"income": incomes, "job": jobs}
    found = scored(engine, model, features)
    np.testing.assert_allclose(found[:, 0], by_numpy(model, features), rtol=1e-12, atol=1e-12)


def _neighbours(edge: float) -> list[float]:
    around = [np.nextafter(edge, -np.inf), edge, np.nextafter(edge, np.inf)]
    return [float(value) for value in around if abs(value) > 1e-300 or value == 0]


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("values", [[None, 1.5, 0.0, -3.0], [None, "", "a", "NaN"]])
def test_presence_is_of_numbers_and_of_texts(
    engine: Engine, values: list[float | str | None], missing: bool
) -> None:
    cut = cut_by("card", Rule.PRESENCE, missing=missing)
    model = logistic(binned(cut, [1.0, 2.0][: cut.bins]))
    texts = ["card"] if "a" in values else []
    table = features_table(engine, {"card": values}, texts)
    found = scores_of(engine, partial_score_query(model, table, engine.dialect))
    np.testing.assert_array_equal(found[:, 0], by_numpy(model, {"card": values}))


def test_every_bin_of_every_rule_gives_the_code_of_training(engine: Engine) -> None:
    """Weights 0, 1, 2, … make the score the code itself."""
    for rule, edges in (
        (Rule.QUANTILE, [-2.5, 0.1, 7.0]),
        (Rule.VALUES, [1.0, 2.0]),
        (Rule.SIGN, [BELOW_ZERO, 0.0]),
        (Rule.ZERO_NONZERO, [0.0]),
    ):
        for missing in (False, True):
            cut = cut_by("x", rule, edges, missing=missing)
            model = logistic(binned(cut, [float(code) for code in range(cut.bins)]))
            values = [*EXTREMES, 2.0, 2.0000000000000004, -2.5, 7.0, 1.0, 3.0]
            column = np.array([np.nan if value is None else value for value in values])
            found = scored(engine, model, {"x": values})
            np.testing.assert_array_equal(found[:, 0], apply_bins(cut, column))


def test_numbers_are_scaled_and_filled_and_a_missing_one_gives_no_score(engine: Engine) -> None:
    terms = (
        NumberTerm(input=NumberInput(name="a", centre=1e6, scale=0.5), weights=(2.0,)),
        NumberTerm(input=NumberInput(name="b", fill=3.0), weights=(0.1,)),
    )
    model = LinearModel(
        model_id="m", digest=DIGEST, kind="linear", combination="sum", outputs=1,
        intercepts=(0.25,), terms=terms,
    )  # fmt: skip
    found = scored(engine, model, {"a": [1e6 + 1, None, 1e6], "b": [None, 1.0, -7.0]})
    expected = np.array([4 + 0.3 + 0.25, np.nan, -0.7 + 0.25])
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-12)


def test_whole_numbers_divide_as_numbers(engine: Engine) -> None:
    table = features_table(engine, {"a": [1.0, 7.0]})
    whole = exp.cast(exp.column("a", quoted=True), "bigint")
    features = exp.select("sample_id", exp.alias_(whole, "a", quoted=True)).from_("features")
    term = NumberTerm(input=NumberInput(name="a", scale=2.0), weights=(1.0,))
    model = logistic(kind="linear", combination="sum").model_copy(update={"terms": (term,)})
    found = scores_of(engine, partial_score_query(model, features, engine.dialect))
    np.testing.assert_array_equal(found[:, 0], [0.5, 3.5])
    assert table.named_selects == ["*"]


def test_thousands_of_variables_are_one_query(engine: Engine) -> None:
    """Deep sums are what parsers break on: SQLite allows 1000 levels."""
    features: Features = {f"v{place}": [float(place), None] for place in range(1500)}
    terms = [binned(cut_by(name, Rule.VALUES, [0.5]), [1.0, 2.0]) for name in features]
    found = scored(engine, logistic(*terms), features)
    assert found[:, 0].tolist() == [1 + 2 * 1499, 1500]


def test_softmax_has_a_score_a_class(engine: Engine) -> None:
    term = binned(cut_by("x", Rule.VALUES, [0.5]), [1.0, 2.0], [3.0, 4.0], [5.0, 6.0])
    model = LinearModel(
        model_id="m", digest=DIGEST, kind="softmax", combination="softmax", outputs=3,
        intercepts=(0.0, 10.0, 20.0), terms=(term,),
    )  # fmt: skip
    found = scored(engine, model, {"x": [0.0, 1.0]})
    assert found.tolist() == [[1, 13, 25], [2, 14, 26]]
    np.testing.assert_allclose(combine("softmax", [found]).sum(axis=1), [1, 1])
