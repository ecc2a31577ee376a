"""Norm, F and labels in integers are the source's formulas, exactly (requirements L1 to L4)."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.errors import IdentificationError
from learning.fixed_point import ONE as GRID
from learning.identifying import (
    ABSENT,
    ONE,
    SLOT_BITS,
    SWEEP,
    hundredths,
    in_units,
    is_probability,
    joint,
    label,
    level,
    normalise,
    normalised,
    pack_values,
    probability,
)
from learning.weighing import combination_weights
from paillier.packing import unpack

SCORES = st.integers(-300 * GRID, 300 * GRID)
UNITS = st.integers(0, ONE)
TAUS = st.decimals("0.000001", "0.999999", places=6).map(float)
LOSSES = st.lists(st.floats(0.01, 5.0), min_size=2, max_size=6)


def fractions_of(parts: list[list[int]], losses: list[float]) -> list[Fraction]:
    """F by the source's formula, in fractions: (alpha Norm(P) + beta Norm(Q) + 1e-6) / parties."""
    weights = [Fraction(str(round(one, 12))) for one in combination_weights(losses)]
    rows = zip(*parts, strict=True)
    return [
        (sum(w * Fraction(n, ONE) for w, n in zip(weights, row, strict=True)) + Fraction(1, 10**6))
        / len(parts)
        for row in rows
    ]


@given(SCORES)
def test_a_probability_is_the_sigmoid_of_its_score(score: int) -> None:
    expected = 1 / (1 + np.exp(-np.float64(score) / GRID)) if score > -700 * GRID else 0.0
    assert abs(probability(score) - float(expected) * ONE) <= 1
    assert probability(score) + probability(-score) == pytest.approx(ONE, abs=1)


@given(SCORES, SCORES)
def test_a_greater_score_is_no_smaller_a_probability(one: int, other: int) -> None:
    assert probability(min(one, other)) <= probability(max(one, other))


@given(UNITS, UNITS, UNITS)
def test_norm_is_min_max_cut_to_0_and_1(value: int, one: int, other: int) -> None:
    least, greatest = sorted((one, other))
    if least == greatest:
        with pytest.raises(IdentificationError, match="all the same"):
            normalise(value, least, greatest)
        return
    exact = Fraction(value - least, greatest - least)
    expected = min(max(exact, Fraction(0)), Fraction(1))
    assert abs(Fraction(normalise(value, least, greatest), ONE) - expected) <= Fraction(1, 2 * ONE)


@given(st.lists(SCORES, min_size=1, max_size=40), st.data())
def test_one_customer_alone_is_what_it_is_in_a_batch(
    scores: list[int], data: st.DataObject
) -> None:
    """Bit for bit, in any order and company (L4)."""
    extremes = [0.2, 0.7]
    batch = normalised(np.array(scores), extremes)
    place = data.draw(st.integers(0, len(scores) - 1))
    assert normalised(np.array([scores[place]]), extremes)[0] == batch[place]
    totals = joint([batch, batch[::-1]], [1.25, 0.75])
    alone = joint([batch[[place]], batch[::-1][[place]]], [1.25, 0.75])
    assert alone == [totals[place]]


@given(LOSSES, TAUS, st.data())
def test_a_label_is_1_exactly_where_f_is_above_tau(
    losses: list[float], tau: float, data: st.DataObject
) -> None:
    rows = data.draw(st.integers(1, 5))
    column = st.lists(UNITS, min_size=rows, max_size=rows)
    parts = [data.draw(column) for _ in losses]
    weights = [round(one, 12) for one in combination_weights(losses)]
    totals = joint([np.array(part) for part in parts], weights)
    for total, exact in zip(totals, fractions_of(parts, losses), strict=True):
        assert Fraction(total, len(parts) * ONE * ONE) == exact
        assert label(total, tau, len(parts)) == (1 if exact > Fraction(str(tau)) else -1)
        assert level(total, len(parts)) == sum(exact > Fraction(str(one)) for one in SWEEP)
        assert abs(Fraction(hundredths(total, len(parts)), 100) - exact) <= Fraction(1, 200)


def test_f_that_equals_tau_is_not_above_it() -> None:
    """Alpha = beta = 1, Norm 0.059999 and 0: F = (0.059999 + 1e-6) / 2 = 0.03."""
    (total,) = joint([np.array([in_units(0.059999)]), np.array([0])], [1.0, 1.0])
    assert label(total, 0.03, 2) == -1
    assert label(total + 1, 0.03, 2) == 1


def test_epsilon_alone_is_above_no_threshold_of_the_source() -> None:
    (total,) = joint([np.array([0]), np.array([0])], [1.0, 1.0])
    assert label(total, 0.01, 2) == -1
    assert label(total, 4e-7, 2) == 1


@given(st.lists(UNITS | st.just(ABSENT), min_size=1, max_size=60))
def test_packed_numbers_come_back(values: list[int]) -> None:
    n = (1 << 511) + 1
    slots = 10
    plaintexts = pack_values(values, slots)
    assert unpack(plaintexts, SLOT_BITS, len(values), n) == values


def test_what_is_no_probability_is_told() -> None:
    values = np.array([0, ONE, ABSENT, -1, ONE + 1, ABSENT - 1])
    assert is_probability(values).tolist() == [True, True, True, False, False, False]


@pytest.mark.parametrize(
    ("text", "units"), [(0.03, 3 * 10**10), (1e-06, 10**6), (0.1, 10**11), (1.999999999999, 0)]
)
def test_a_decimal_number_is_what_it_reads(text: float, units: int) -> None:
    assert in_units(text) == (units or 1_999_999_999_999)
