"""The parties' weights: inverse to their losses, their sum the number of parties (L4)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.errors import LearningError
from learning.weighing import combination_weights

LOSSES = st.floats(1e-6, 1e3)


@given(LOSSES, LOSSES)
def test_of_two_parties_these_are_alpha_and_beta(first: float, second: float) -> None:
    alpha, beta = combination_weights([first, second])
    assert alpha == pytest.approx(2 * second / (first + second))
    assert beta == pytest.approx(2 * first / (first + second))


@given(st.lists(LOSSES, min_size=1, max_size=6))
def test_they_sum_to_the_parties_and_the_smaller_loss_weighs_more(losses: list[float]) -> None:
    weights = combination_weights(losses)
    assert sum(weights) == pytest.approx(len(losses))
    for loss, weight in zip(losses, weights, strict=True):
        assert weight * loss == pytest.approx(weights[0] * losses[0])


@pytest.mark.parametrize("loss", [0.0, -1.0, float("nan"), float("inf")])
def test_a_loss_that_no_model_has_is_refused(loss: float) -> None:
    with pytest.raises(LearningError, match="positive"):
        combination_weights([0.5, loss])
