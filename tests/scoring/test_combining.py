"""Combining the parts of a prediction (requirement S3)."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.combining import combine
from scoring.errors import ScoringError
from scoring.models.document import Combination

SCORES = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300)


@given(st.lists(st.tuples(SCORES, SCORES), min_size=1, max_size=9))
def test_a_sigmoid_of_the_sum_is_a_chance_however_large_the_scores(
    rows: list[tuple[float, float]],
) -> None:
    first, second = np.array(rows).T
    chances = combine("sigmoid", [first, second])
    assert ((chances >= 0) & (chances <= 1)).all()
    opposite = combine("sigmoid", [-first, -second])
    np.testing.assert_allclose(chances + opposite, 1, rtol=1e-12)


def test_sigmoid_is_the_textbooks_and_exact_at_the_ends() -> None:
    scores = np.array([-800.0, -30.0, 0.0, 2.0, 30.0, 800.0])
    found = combine("sigmoid", [scores / 4, scores / 4, scores / 2])
    np.testing.assert_allclose(found[1:5], 1 / (1 + np.exp(-scores[1:5])), rtol=1e-14)
    assert (found[0], found[5]) == (0, 1)


@given(st.lists(st.lists(SCORES, min_size=3, max_size=3), min_size=1, max_size=9))
def test_a_softmax_shares_out_one_however_large_the_scores(rows: list[list[float]]) -> None:
    found = combine("softmax", [np.array(rows), np.zeros((len(rows), 3))])
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)
    likeliest = np.array(rows).argmax(axis=1)
    assert (found[np.arange(len(rows)), likeliest] == found.max(axis=1)).all()


def test_a_softmax_does_not_change_with_what_all_classes_have_in_common() -> None:
    scores = np.array([[1.0, 2.0, 3.0]])
    expected = np.exp(scores) / np.exp(scores).sum()
    np.testing.assert_allclose(combine("softmax", [scores, scores * 0 + 4096]), expected)


def test_values_are_summed() -> None:
    assert combine("sum", [[1.0, 2.0], [0.5, -2.0]]).tolist() == [1.5, 0.0]


@pytest.mark.parametrize("combination", get_args(Combination))
def test_a_missing_part_is_never_filled_in(combination: Combination) -> None:
    parts = [np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 1.0], [np.nan, np.nan]])]
    found = combine(combination, parts)
    assert np.isnan(found).all(axis=1).tolist() == [False, True]


def test_parts_of_different_length_are_refused() -> None:
    with pytest.raises(ScoringError, match="as many"):
        combine("sum", [[1.0], [1.0, 2.0]])
    with pytest.raises(ScoringError, match="as many"):
        combine("sum", [])
    with pytest.raises(ScoringError, match="two classes"):
        combine("softmax", [[1.0, 2.0]])
