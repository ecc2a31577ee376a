"""One party's step (requirement T7; design, Training mathematics)."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.curvature import Constant, measure_curvature
from learning.errors import FixedPointError, LearningError
from learning.fixed_point import from_grid, offsets
from learning.layout import Layout
from learning.optimisers import (
    Parameters,
    descend,
    descend_preconditioned,
    safe_damping,
    safe_rate,
)

BINS = [3, 2, 4]
LAYOUT = Layout.one_hot(BINS)
COLUMNS = LAYOUT.columns


def random_codes(seed: int, rows: int = 400) -> npt.NDArray[np.uint8]:
    generator = np.random.default_rng(seed)
    return np.array([generator.integers(0, count, rows) for count in BINS], np.uint8)


def at_rest() -> Parameters:
    return Parameters(np.zeros(COLUMNS + 1, np.int64), np.zeros(COLUMNS + 1, np.int64))


def some_gradient(seed: int) -> npt.NDArray[np.float64]:
    """Consistent as real ones are: each variable's bins sum to the constant's entry."""
    gradient = np.random.default_rng(seed).normal(0, 0.1, COLUMNS + 1)
    for start, end in pairwise(offsets(BINS)):
        gradient[start] += gradient[-1] - gradient[start:end].sum()
    return gradient


@given(st.integers(0, 1000))
def test_the_curvature_counts_pairs_of_bins_exactly(seed: int) -> None:
    codes = random_codes(seed)
    columns = LAYOUT.values(codes, np.float64)

    curvature = measure_curvature(codes, LAYOUT, Constant.NONE)

    (where, matrix), *rest = curvature.blocks
    assert (where, rest) == (slice(0, COLUMNS), [])
    assert np.array_equal(matrix, columns.T @ columns / 400)


def test_wide_parties_have_several_blocks_of_whole_variables() -> None:
    curvature = measure_curvature(random_codes(1), LAYOUT, Constant.NONE, largest_block=5)

    assert [columns for columns, _ in curvature.blocks] == [slice(0, 5), slice(5, 9)]


@pytest.mark.parametrize("constant", [Constant.INTERCEPT, Constant.NONE])
def test_an_undamped_step_solves_the_quadratic_of_the_own_block(constant: Constant) -> None:
    codes, gradient, penalty, slope = random_codes(2), some_gradient(2), 0.01, 0.2
    columns = np.column_stack([LAYOUT.values(codes, np.float64), np.ones(400)])
    ridge = penalty * np.diag([1.0] * COLUMNS + [0.0])
    if constant is Constant.NONE:
        columns[:, -1], ridge[-1, -1], gradient[-1] = 0, 1, 0
    expected = -np.linalg.solve(slope * columns.T @ columns / 400 + ridge, gradient)

    update = descend_preconditioned(
        at_rest(),
        gradient,
        penalty,
        measure_curvature(codes, LAYOUT, constant),
        slope,
        damping=1,
        momentum=0,
    )

    assert np.allclose(from_grid(update.parameters.weights), expected, atol=1e-6)
    assert update.predicted_decrease == pytest.approx(-gradient @ expected, rel=1e-4)


def test_a_party_without_the_intercept_keeps_its_scores_centred() -> None:
    codes = random_codes(3)
    curvature = measure_curvature(codes, LAYOUT, Constant.CENTRE)

    update = descend_preconditioned(
        at_rest(), some_gradient(3), 0.01, curvature, 0.25, damping=0.6, momentum=0.3
    )

    weights = from_grid(update.parameters.weights)
    scores = LAYOUT.values(codes, np.float64) @ weights[:-1] + weights[-1]
    assert abs(scores.mean()) < 1e-6
    assert scores.std() > 0.01


def test_momentum_repeats_a_part_of_the_last_step() -> None:
    codes = random_codes(4)
    curvature = measure_curvature(codes, LAYOUT, Constant.NONE)
    moving = Parameters(np.zeros(COLUMNS + 1, np.int64), np.full(COLUMNS + 1, 1 << 20))

    update = descend_preconditioned(
        moving, np.zeros(COLUMNS + 1), 0.01, curvature, 0.25, damping=0.6, momentum=0.25
    )

    assert update.parameters.weights.tolist() == [1 << 18] * (COLUMNS + 1)


def test_plain_descent_is_the_sources_update() -> None:
    start = Parameters(np.full(COLUMNS + 1, 1 << 24), np.zeros(COLUMNS + 1, np.int64))
    gradient = some_gradient(5)

    update = descend(start, gradient, 0.5, Constant.INTERCEPT, 0.125)

    expected = 1 - 0.125 * (gradient + 0.5 * np.append(np.ones(COLUMNS), 0))
    assert np.allclose(from_grid(update.parameters.weights), expected, atol=2**-24)


@pytest.mark.parametrize("constant", [Constant.CENTRE, Constant.NONE])
def test_plain_descent_leaves_the_constant_to_the_party_that_holds_it(constant: Constant) -> None:
    update = descend(at_rest(), some_gradient(6), 0.5, constant, 0.125)

    assert update.parameters.weights[-1] == 0


@pytest.mark.parametrize("slope", [0.0, -1.0, np.nan, np.inf])
def test_an_announced_slope_that_cannot_be_is_refused(slope: float) -> None:
    curvature = measure_curvature(random_codes(7), LAYOUT, Constant.NONE)

    with pytest.raises(LearningError, match="announced slope"):
        descend_preconditioned(
            at_rest(), some_gradient(7), 0.1, curvature, slope, damping=0.6, momentum=0
        )


def test_a_step_out_of_the_grid_is_refused() -> None:
    with pytest.raises(FixedPointError, match="diverged"):
        descend(at_rest(), some_gradient(8), 0.0, Constant.NONE, 1e12)


def test_a_step_is_the_same_on_any_number_of_threads() -> None:
    from threadpoolctl import threadpool_limits

    codes, gradient = random_codes(9, 20_000), some_gradient(9)
    results = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            curvature = measure_curvature(codes, LAYOUT, Constant.INTERCEPT)
            update = descend_preconditioned(
                at_rest(), gradient, 0.01, curvature, 0.2, damping=0.6, momentum=0.3
            )
            results.append((update.parameters.weights.tobytes(), update.predicted_decrease))
    assert results[0] == results[1]


def test_steps_are_damped_below_two_over_the_number_of_parties() -> None:
    assert safe_damping(2) == 0.6
    assert all(safe_damping(parties) < 2 / parties for parties in range(2, 65))


def test_no_safe_rate_exceeds_two_over_the_steepest_curvature() -> None:
    codes = random_codes(10)
    columns = LAYOUT.values(codes, np.float64)
    steepest = float(np.linalg.eigvalsh(columns.T @ columns / 400).max()) / 4

    assert safe_rate(len(BINS), 100.0) < 2 / steepest
    assert safe_rate(len(BINS), 0.1) == 0.1
