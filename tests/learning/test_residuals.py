"""The residual a customer, as integers (requirement T5)."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.errors import FixedPointError
from learning.fixed_point import ONE, from_grid, to_grid
from learning.residuals import (
    LARGEST_LOG_ODDS,
    Residual,
    ResidualPlan,
    check_scores,
    largest_residual,
    largest_score,
    mean_gradient,
    plan_residual,
    residual_values,
    score_spread,
    sigmoid,
    slot_bits,
    squared_scores,
)

Floats = npt.NDArray[np.float64]
scores = st.floats(-8, 8)
customers = st.lists(st.tuples(scores, scores, st.sampled_from([-1.0, 1.0])), min_size=1)


def in_units(plan: ResidualPlan, other: Floats) -> Floats:
    """The residuals g as floats, for participants' scores."""
    on_grid = to_grid(other)
    values = residual_values(plan, on_grid, squared_scores(on_grid))
    return np.asarray(values / plan.scale, np.float64)


@given(customers)
def test_taylor_is_the_sources_formula_exactly(rows: list[tuple[float, float, float]]) -> None:
    own, other, labels = (np.array(part) for part in zip(*rows, strict=True))

    plan = plan_residual(Residual.TAYLOR, to_grid(own), labels)

    total = from_grid(to_grid(own) + to_grid(other))
    assert in_units(plan, other).tolist() == (total / 4 - labels / 2).tolist()
    assert plan.slope == 0.25


@given(customers)
def test_linear_is_prediction_less_label_exactly(rows: list[tuple[float, float, float]]) -> None:
    own, other, labels = (np.array(part) for part in zip(*rows, strict=True))

    plan = plan_residual(Residual.LINEAR, to_grid(own), labels)

    assert (
        in_units(plan, other).tolist()
        == (from_grid(to_grid(own) + to_grid(other)) - labels).tolist()
    )


@given(customers)
def test_smoothed_without_spread_is_the_second_order_expansion_at_the_own_score(
    rows: list[tuple[float, float, float]],
) -> None:
    own, other, labels = (np.array(part) for part in zip(*rows, strict=True))
    plan = plan_residual(Residual.SMOOTHED, to_grid(own), labels)

    level = sigmoid(from_grid(to_grid(own)))
    slope = level * (1 - level)
    expected = level - (labels + 1) / 2 + slope * other + slope * (0.5 - level) * other**2
    # Multipliers have 12 fractional bits.
    assert np.allclose(in_units(plan, other), expected, atol=(8 + 64) * 2**-13 + 1e-6)


def test_smoothed_is_right_on_average_over_normal_scores_of_the_others() -> None:
    other = np.random.default_rng(3).normal(0, 1.5, 40_000)
    own = np.full(len(other), -1.0)
    labels = -np.ones(len(other))
    spread = score_spread(squared_scores(to_grid(other)))

    error = in_units(plan_residual(Residual.SMOOTHED, to_grid(own), labels, spread), other)
    error -= sigmoid(own + other)

    assert spread == pytest.approx(2.25, rel=0.02)
    for moment in (np.ones_like(other), other, other**2):
        assert abs(float((error * moment).mean())) < 0.003


def test_the_slope_is_the_mean_multiplier() -> None:
    plan = plan_residual(Residual.SMOOTHED, to_grid(np.array([0.0, 3.0])), np.ones(2))

    assert plan.slope == float(np.mean(plan.multipliers)) / 4096


@pytest.mark.parametrize("residual", list(Residual))
@pytest.mark.parametrize("participants", [1, 3])
def test_no_residual_exceeds_what_the_announced_size_allows(
    residual: Residual, participants: int
) -> None:
    limit = largest_score(residual)
    corners = np.array([-limit, -2.0, 0.0, 2.0, limit])
    own, other, labels = np.array(np.meshgrid(corners, corners, [-1.0, 1.0])).reshape(3, -1)
    if residual is Residual.LINEAR:
        labels = labels * limit
    others = participants * to_grid(other)
    for spread in (0.0, float(participants) * limit**2):
        plan = plan_residual(residual, to_grid(own), labels, spread)
        squares = None
        if plan.square_multipliers is not None:
            squares = participants * squared_scores(to_grid(other))
        values = residual_values(plan, others, squares)
        assert int(np.abs(values).max()) <= largest_residual(residual, participants)


def test_a_slot_holds_the_signed_sum_of_all_rows() -> None:
    for rows in (1, 66_274):
        bits = slot_bits(Residual.TAYLOR, 2, rows)
        assert largest_residual(Residual.TAYLOR, 2) * rows < 2 ** (bits - 1)


@pytest.mark.parametrize("residual", list(Residual))
def test_a_score_beyond_the_limit_is_refused(residual: Residual) -> None:
    limit = largest_score(residual) * ONE

    check_scores(residual, np.array([-limit, limit]))
    with pytest.raises(FixedPointError, match="a score is beyond"):
        check_scores(residual, np.array([0, limit + 1]))
    with pytest.raises(FixedPointError, match="a score is beyond"):
        plan_residual(residual, np.array([-limit - 1]), np.ones(1))


def test_the_mean_gradient_ends_with_the_constants() -> None:
    gradient = mean_gradient([10, -4, 1, 5], 6, scale=2, rows=3)

    assert gradient.tolist() == [10 / 6, -4 / 6, 1 / 6, 5 / 6, 1.0]


def test_the_sigmoid_does_not_overflow() -> None:
    assert sigmoid(np.array([-1e9, 0.0, 1e9])).tolist() == [0.0, 0.5, 1.0]
    assert LARGEST_LOG_ODDS < 1e9
