"""Scores and sums are exact integers (design, Training mathematics)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.errors import FixedPointError
from learning.fixed_point import bin_sums, from_grid, offsets, partial_scores, to_grid

on_the_grid = st.integers(-(2**53) + 1, 2**53 - 1)


@given(st.lists(on_the_grid, min_size=1))
def test_the_grid_survives_the_way_through_floats(values: list[int]) -> None:
    assert to_grid(from_grid(values)).tolist() == values


@given(st.floats(-1e6, 1e6))
def test_rounding_moves_a_number_by_half_a_step_at_most(number: float) -> None:
    assert abs(float(from_grid(to_grid(number))) - number) <= 2**-25


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 2.0**29])
def test_what_is_no_number_or_too_large_is_refused(number: float) -> None:
    with pytest.raises(FixedPointError, match="the training diverged"):
        to_grid([0.0, number])


@given(st.integers(0, 2**32), st.integers(1, 40))
def test_a_score_is_the_exact_sum_of_the_active_bins(seed: int, rows: int) -> None:
    generator = np.random.default_rng(seed)
    bins = [2, 5, 3]
    codes = np.array([generator.integers(0, count, rows) for count in bins], np.uint8)
    weights = generator.integers(-(2**50), 2**50, sum(bins))

    scores = partial_scores(codes, weights, bins, intercept=7)

    first = offsets(bins)
    for row in range(rows):
        active = [int(weights[first[k] + codes[k, row]]) for k in range(3)]
        assert int(scores[row]) == sum(active) + 7


@given(st.lists(st.tuples(st.integers(-(2**62), 2**62), st.integers(0, 2)), min_size=1))
def test_sums_of_a_bin_are_exact_beyond_64_bits(rows: list[tuple[int, int]]) -> None:
    values = np.array([value for value, _ in rows], np.int64)
    codes = np.array([[code for _, code in rows]], np.uint8)

    expected = [sum(value for value, code in rows if code == bin_) for bin_ in range(3)]
    assert bin_sums(values, codes, [3]) == expected
