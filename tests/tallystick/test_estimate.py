"""How long a job takes, from unit costs and a shape: properties of the model."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.residuals import Residual
from paillier import PublicKey, generate_key_pair
from tallystick.estimate import (
    ARBITER,
    Cost,
    JobShape,
    Machine,
    UnitCosts,
    bucket_products,
    estimate,
    packing_of,
    table_products,
)
from tallystick.forecast import sentence, spread_evenly

KEY: PublicKey = generate_key_pair(512, minimum_bits=512).public
NAMES = [one.name for one in fields(UnitCosts)]
BINS = st.lists(st.integers(2, 12), min_size=1, max_size=30)
ROWS = st.integers(2, 100_000)


def machine(**chosen: float) -> Machine:
    """A machine whose steps cost a microsecond, or what is chosen, and half of it by the clock."""
    costs = {name: Cost(seconds, seconds / 2) for name in NAMES if (seconds := _cost(name, chosen))}
    return Machine("gmpy2", 2, KEY, UnitCosts(**{name: Cost() for name in NAMES} | costs))


def _cost(name: str, chosen: dict[str, float]) -> float:
    return chosen.get(name, 0.0) if chosen else 1e-6


def shape(rows: int = 1_000, bins: tuple[int, ...] = (5, 5, 3), participants: int = 1) -> JobShape:
    names = ["bank", *(f"partner-{number}" for number in range(participants))]
    return JobShape(rows, dict.fromkeys(names, bins), Residual.SMOOTHED, 10)


@given(rows=ROWS, more=st.integers(1, 10_000), bins=BINS)
def test_more_customers_never_take_less_time(rows: int, more: int, bins: list[int]) -> None:
    fewer, all_of_them = (
        estimate(shape(count, tuple(bins)), machine()) for count in (rows, rows + more)
    )
    assert fewer.apart < all_of_them.apart
    assert fewer.together < all_of_them.together
    assert all(fewer.parties[name].cpu <= all_of_them.parties[name].cpu for name in fewer.parties)


@given(rows=ROWS, bins=BINS, another=st.integers(2, 12))
def test_another_variable_never_takes_less_time(rows: int, bins: list[int], another: int) -> None:
    assert bucket_products(rows, bins, "gmpy2") < bucket_products(rows, [*bins, another], "gmpy2")
    before = estimate(shape(rows, tuple(bins)), machine())
    after = estimate(shape(rows, (*bins, another)), machine())
    assert before.apart < after.apart


@given(rows=ROWS, bins=BINS, participants=st.integers(1, 4))
def test_a_round_on_one_machine_is_the_sum_of_its_parties(
    rows: int, bins: list[int], participants: int
) -> None:
    told = estimate(shape(rows, tuple(bins), participants), machine())
    assert told.together == pytest.approx(sum(cost.wall for cost in told.parties.values()))
    assert told.apart <= told.together
    assert list(told.parties)[-1] == ARBITER


@given(bins=BINS)
def test_costs_of_the_steps_add_up(bins: list[int]) -> None:
    # given machines that each are slow in one step only, and one that is slow in all
    job = shape(bins=tuple(bins), participants=2)
    alone = [estimate(job, machine(**{name: 1e-6})) for name in NAMES]
    together = estimate(job, machine())
    # then the slow one takes as long as all the others
    for party, cost in together.parties.items():
        assert cost.cpu == pytest.approx(sum(one.parties[party].cpu for one in alone))
        assert cost.wall == pytest.approx(cost.cpu / 2)


def test_every_step_matters_to_the_party_that_takes_it() -> None:
    told = {name: estimate(shape(participants=2), machine(**{name: 1.0})) for name in NAMES}
    takers = {
        name: {party for party, cost in one.parties.items() if cost.cpu}
        for name, one in told.items()
    }
    data = {"bank", "partner-0", "partner-1"}
    assert takers.pop("decryption") == {ARBITER}
    assert takers.pop("residual") == {"bank"}
    assert takers.pop("vector_product") == {"bank"}
    assert takers.pop("table_entry") == set()
    assert told["table_entry"].beginning.cpu > 0
    for name in ("reading", "receiving", "message"):
        assert takers.pop(name) == {*data, ARBITER}
    assert all(parties == data for parties in takers.values())


def test_the_participant_of_the_patent_profile_encrypts_half_as_much() -> None:
    job = replace(shape(rows=1_000), rows_per_ciphertext=1)
    one_window = machine(writing=1.0)
    both = [
        estimate(replace(job, residual=residual), one_window).parties["partner-0"].cpu
        for residual in (Residual.SMOOTHED, Residual.TAYLOR)
    ]
    # scores and squares, or scores; beside a few packed ciphertexts
    assert both[0] - both[1] == pytest.approx(1_000, abs=2)


def test_customers_that_share_a_ciphertext_are_encrypted_and_sent_together() -> None:
    job = replace(shape(rows=1_000), residual=Residual.TAYLOR)
    alone, five = (
        estimate(replace(job, rows_per_ciphertext=rows), machine(writing=1.0)).parties["partner-0"]
        for rows in (1, 5)
    )
    # the scores of five customers each, then one ciphertext a sum instead of a few
    assert (alone.cpu, five.cpu) == (1_000 + 2, 200 + 13)
    assert packing_of(job, KEY.bits) == packing_of(replace(job, rows_per_ciphertext=5), KEY.bits)


@given(rounds=st.integers(1, 1_000))
def test_the_limit_of_rounds_bounds_the_job(rounds: int) -> None:
    told = estimate(replace(shape(), maximum_rounds=rounds), machine())
    assert told.total_apart == pytest.approx(told.beginning.wall + rounds * told.apart)
    assert told.total_together == pytest.approx(2 * told.beginning.wall + rounds * told.together)


@given(window=st.integers(1, 12))
def test_a_table_covers_all_bits_of_the_randomness(window: int) -> None:
    rows = table_products(window, KEY)
    assert (rows - 1) * window < KEY.randomness_bits <= rows * window
    assert table_products(0, KEY) >= KEY.randomness_bits


@given(variables=st.integers(1, 500), more=st.integers(0, 5_000))
def test_columns_known_in_sum_only_are_spread_evenly(variables: int, more: int) -> None:
    bins = spread_evenly(2 * variables + more, variables)
    assert sum(bins) == 2 * variables + more
    assert len(bins) == variables
    assert max(bins) - min(bins) <= 1


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.26, "about 0.3 s here, at most 10 rounds: 2.6 s"),
        (30.0, "about 30 s here, at most 10 rounds: 5 min"),
    ],
)
def test_the_estimate_is_one_sentence(seconds: float, told: str) -> None:
    assert sentence(seconds, 10, "here") == f"a round will take {told}"
