"""Columns of a party: a column a bin, or one whose value is the bin's number (P5, T6)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.binning import Rule, VariableBins
from learning.curvature import Constant, measure_curvature, measure_scaling
from learning.fixed_point import Codes, bin_sums, from_grid, partial_scores
from learning.layout import Coding, Layout, largest_value
from learning.optimisers import Parameters, descend
from learning.pretraining import float_gradient, pretrain
from learning.reference import pooled_reference

VARIABLES = st.lists(st.tuples(st.integers(2, 9), st.booleans()), min_size=1, max_size=6)
MIXED = Layout((5, 3, 5), (True, False, True))


def codes_of(layout: Layout, rows: int, seed: int = 0) -> Codes:
    """Codes that use every bin."""
    generator = np.random.default_rng(seed)
    return np.array([generator.permutation(np.arange(rows) % n) for n in layout.bins], np.uint8)


@given(VARIABLES, st.integers(0, 99))
def test_scores_are_the_columns_times_the_weights(
    variables: list[tuple[int, bool]], seed: int
) -> None:
    layout = Layout(*map(tuple, zip(*variables, strict=True)))
    codes = codes_of(layout, 40, seed)
    weights = np.random.default_rng(seed).integers(-(2**40), 2**40, layout.columns)

    scores = partial_scores(codes, layout.expand(weights), layout.bins)

    assert scores.tolist() == (layout.values(codes).astype(np.int64) @ weights).tolist()


@given(VARIABLES, st.integers(0, 99))
def test_a_gradient_is_the_columns_transposed_times_the_residuals(
    variables: list[tuple[int, bool]], seed: int
) -> None:
    layout = Layout(*map(tuple, zip(*variables, strict=True)))
    codes = codes_of(layout, 40, seed)
    residuals = np.random.default_rng(seed).integers(-(2**40), 2**40, 40)
    expected = (layout.values(codes).astype(np.int64).T @ residuals).tolist()

    sums = layout.contract(bin_sums(residuals, codes, layout.bins))

    assert sums == expected
    assert layout.totals(sums) <= {int(residuals.sum())}
    in_floats = float_gradient(residuals.astype(np.float64), codes, layout)
    assert np.allclose(in_floats[:-1] * 40, expected, rtol=1e-12, atol=1.0)


@pytest.mark.parametrize("bins", [5, 255])
def test_the_curvature_of_ordinal_columns_is_exact(bins: int) -> None:
    """Given bin numbers whose products leave float32's integers after a few hundred rows."""
    layout = Layout((bins, 3, bins), (True, False, True))
    codes = codes_of(layout, 9_000)
    columns = layout.values(codes, np.float64)

    curvature = measure_curvature(codes, layout, Constant.NONE)

    ((_, matrix),) = curvature.blocks
    assert np.array_equal(matrix, columns.T @ columns / 9_000)
    assert np.array_equal(curvature.means, columns.sum(axis=0) / 9_000)


def test_categories_have_no_order_unless_they_are_two() -> None:
    def cut(rule: Rule, bins: int) -> VariableBins:
        labels = tuple(map(str, range(bins)))
        return VariableBins(name="v", rule=rule, has_missing_bin=False, labels=labels)

    variables = [cut(Rule.CATEGORY, 3), cut(Rule.CATEGORY, 2), cut(Rule.QUANTILE, 5)]

    assert Layout.of(variables, "ordinal").ordinal == (False, True, True)
    assert Layout.of(variables, "ordinal").columns == 5
    assert Layout.of(variables, "one-hot").columns == 10


@pytest.mark.parametrize("coding", ["one-hot", "ordinal"])
def test_no_column_holds_a_larger_value_than_all_members_reckon_with(coding: Coding) -> None:
    labels = tuple(map(str, range(255)))
    widest = VariableBins(name="v", rule=Rule.VALUES, has_missing_bin=False, labels=labels)

    assert Layout.of([widest], coding).largest_value <= largest_value(coding)


def some_labels(codes: Codes) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    noise = np.random.default_rng(3).normal(0, 2, codes.shape[1])
    return np.where(codes[0] - 1.0 * codes[2] + (codes[1] == 1) + noise > 0, 1.0, -1.0)


def test_pretraining_on_ordinal_columns_is_scikit_learns_model() -> None:
    codes = codes_of(MIXED, 600)
    labels, everybody = some_labels(codes), np.ones(600, bool)

    weights = pretrain(
        codes,
        MIXED,
        labels,
        kind="logistic",
        inverse_penalty=0.1,
        constant=Constant.INTERCEPT,
    )

    scores = partial_scores(codes, MIXED.expand(weights[:-1]), MIXED.bins, int(weights[-1]))
    expected = pooled_reference(
        codes, MIXED, labels, everybody, kind="logistic", inverse_penalty=0.1
    )
    assert np.allclose(from_grid(scores), expected, atol=1e-3)


@pytest.mark.parametrize("constant", [Constant.INTERCEPT, Constant.NONE])
def test_plain_descent_converges_on_ordinal_columns(constant: Constant) -> None:
    """To the solution of (X'X/n + penalty I0) w = X'y/n, though no column is scaled (T7)."""
    codes, penalty = codes_of(MIXED, 600), 0.01
    labels = some_labels(codes)
    scaling = measure_scaling(codes, MIXED, constant)
    ones = np.full(600, float(constant is Constant.INTERCEPT))
    columns = np.column_stack([MIXED.values(codes, np.float64), ones])
    ridge = np.diag([penalty] * MIXED.columns + [float(constant is Constant.NONE)])
    expected = np.linalg.solve(columns.T @ columns / 600 + ridge, columns.T @ labels / 600)

    parameters = Parameters(*np.zeros((2, MIXED.columns + 1), np.int64))
    for _ in range(3000):
        residuals = columns @ from_grid(parameters.weights) - labels
        gradient = float_gradient(residuals, codes, MIXED)
        parameters = descend(parameters, gradient, penalty, constant, 0.25, scaling).parameters

    # On the grid the last steps are too small to move it any further.
    assert np.allclose(columns @ from_grid(parameters.weights), columns @ expected, atol=1e-3)
