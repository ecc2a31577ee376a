"""When a party would stop (requirements T8, T9)."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.fixed_point import to_grid
from learning.losses import logistic_loss, own_loss, squared_loss
from learning.stopping import PATENT_STOP, StopRule, loss_is_flat, steps_are_small

THREE = StopRule(threshold=0.005, rounds=3)


def test_the_sources_values_are_fifteen_rounds_of_0_005() -> None:
    flat = [0.5] * 15

    assert StopRule(threshold=0.005, rounds=15) == PATENT_STOP
    assert not loss_is_flat(flat)
    assert loss_is_flat([*flat, 0.504])


@pytest.mark.parametrize(
    ("losses", "flat"),
    [
        ([0.7, 0.7, 0.7], False),
        ([0.9, 0.7, 0.7, 0.7, 0.7], True),
        ([0.7, 0.7, 0.7, 0.71, 0.71, 0.71], False),
        ([0.7, 0.7, 0.7, 0.71, 0.71, 0.71, 0.71], True),
        ([0.704, 0.708, 0.712, 0.716], True),
        ([], False),
    ],
)
def test_a_loss_is_flat_after_enough_small_changes_in_a_row(
    losses: list[float], flat: bool
) -> None:
    assert loss_is_flat(losses, THREE) is flat


@pytest.mark.parametrize(
    ("decreases", "small"),
    [([1e-5], False), ([1e-5, 1e-4], True), ([1e-5, 1e-5, 2e-4], False), ([1, 1e-5, 1e-5], True)],
)
def test_steps_are_small_when_the_last_two_promise_at_most_the_threshold(
    decreases: list[float], small: bool
) -> None:
    assert steps_are_small(decreases) is small


@given(st.floats(-20, 20), st.sampled_from([-1.0, 1.0]))
def test_the_loss_is_the_sources_cross_entropy(score: float, label: float) -> None:
    truth, probability = (label + 1) / 2, 1 / (1 + math.exp(-score))

    loss = logistic_loss(np.array([score]), np.array([label]))

    expected = -(truth * math.log(probability) + (1 - truth) * math.log1p(-probability))
    assert loss == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_the_loss_of_a_hopeless_score_is_finite() -> None:
    assert logistic_loss(np.array([-5000.0]), np.array([1.0])) == 5000.0


def test_a_partys_loss_is_of_its_own_scores_by_the_kind_of_model() -> None:
    scores, labels = to_grid([0.5, -1.0]), np.array([1.0, -1.0])

    own = np.array([0.5, -1.0])
    assert own_loss(scores, labels, "logistic") == logistic_loss(own, labels)
    assert own_loss(scores, labels, "linear") == squared_loss(own, labels) == 0.0625
