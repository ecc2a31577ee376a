"""The figures that a joint model is judged by."""

import numpy as np
import pytest

from learning.errors import QualityError
from learning.quality import linear_quality, logistic_quality


def test_a_perfect_order_has_all_figures_at_their_best() -> None:
    labels = np.where(np.arange(100) < 80, -1.0, 1.0)

    quality = logistic_quality(np.linspace(-3, 3, 100), labels)

    assert (quality.rows, quality.positives) == (100, 20)
    assert (quality.auc, quality.ks, quality.lift) == (1.0, 1.0, 5.0)


def test_one_score_for_all_tells_nobody_apart() -> None:
    labels = np.where(np.arange(100) % 4 == 0, 1.0, -1.0)

    quality = logistic_quality(np.zeros(100), labels)

    assert (quality.auc, quality.ks, quality.lift) == (0.5, 0.0, 1.0)
    assert quality.log_loss == pytest.approx(np.log(2))


def test_figures_by_hand() -> None:
    scores = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])

    quality = logistic_quality(scores, np.array([-1.0, 1.0, -1.0, 1.0, 1.0]))

    # Of the 6 pairs of a positive and a negative, 5 are in order.
    assert quality.auc == pytest.approx(5 / 6)
    assert quality.ks == pytest.approx(2 / 3)
    assert quality.lift == pytest.approx(5 / 3)


def test_the_calibration_table_has_a_tenth_of_the_customers_a_row() -> None:
    generator = np.random.default_rng(5)
    scores = generator.normal(0, 2, 20_000)
    labels = np.where(generator.random(20_000) < 1 / (1 + np.exp(-scores)), 1.0, -1.0)

    table = logistic_quality(scores, labels).calibration

    assert [row.customers for row in table] == [2000] * 10
    assert [row.predicted for row in table] == sorted(row.predicted for row in table)
    assert all(abs(row.predicted - row.observed) < 0.04 for row in table)


@pytest.mark.parametrize("label", [-1.0, 1.0])
def test_one_class_only_is_an_error_that_tells_the_count(label: float) -> None:
    with pytest.raises(QualityError, match="the 3 held-out customers are all of one class"):
        logistic_quality(np.arange(3.0), np.full(3, label))


def test_linear_figures() -> None:
    labels = np.array([1.0, 2.0, 3.0, 4.0])

    exact, mean = linear_quality(labels, labels), linear_quality(np.full(4, 2.5), labels)

    assert (exact.r2, exact.rmse, exact.rows) == (1.0, 0.0, 4)
    assert mean.r2 == 0.0
    assert mean.rmse == pytest.approx(1.25**0.5)


def test_linear_figures_of_equal_labels_are_an_error() -> None:
    with pytest.raises(QualityError, match="all have the same label"):
        linear_quality(np.zeros(3), np.ones(3))
