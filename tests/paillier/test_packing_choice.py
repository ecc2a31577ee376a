"""How many rows share a ciphertext is counted, and the same for everybody."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paillier.packing_choice import (
    GradientShape,
    RoundShape,
    best_rows_per_ciphertext,
    round_products,
)
from paillier.sample_packing import most_rows_per_ciphertext


def shape(
    *columns: int, rows: int = 66_274, bins: int = 5, key_bits: int = 2048, sum_bits: int = 51
) -> RoundShape:
    """One-hot columns of parties with so many variables each."""
    gradients = tuple(GradientShape(count, bins, count * bins) for count in columns)
    return RoundShape(rows, key_bits, sum_bits, gradients)


@pytest.mark.parametrize(
    ("job", "rows"),
    [
        (shape(65, 65), 17),  # the source's bank features: as many as the key has room for
        (shape(65, 65, key_bits=3072), 26),
        (shape(65, 3000), 1),  # many columns: every slot's cells and decryptions cost too much
        (shape(3, 3, rows=200), 1),  # few rows: encrypting them is the least of it
        (shape(65, 65, sum_bits=1997), 1),  # room for one
        (shape(65, 65, sum_bits=2040), 1),  # room for none
    ],
)
def test_sharing_is_chosen_where_it_saves_work(job: RoundShape, rows: int) -> None:
    assert best_rows_per_ciphertext(job) == rows


@settings(max_examples=60)
@given(
    st.lists(st.integers(1, 500), min_size=2, max_size=4),
    st.integers(1, 100_000),
    st.integers(2, 30),
    st.sampled_from([512, 2048, 3072]),
    st.integers(20, 80),
)
def test_the_choice_is_possible_and_no_dearer_than_any_other(
    columns: list[int], rows: int, bins: int, key_bits: int, sum_bits: int
) -> None:
    job = shape(*columns, rows=rows, bins=bins, key_bits=key_bits, sum_bits=sum_bits)
    chosen = best_rows_per_ciphertext(job)
    most = max(1, most_rows_per_ciphertext(sum_bits, key_bits))
    costs = [round_products(job, k) for k in range(1, most + 1)]
    assert round_products(job, chosen) == min(costs)


@given(st.integers(1, 10**6), st.integers(2, 255), st.integers(2, 10**6))
def test_the_count_is_exact_on_every_machine(variables: int, bins: int, rows: int) -> None:
    """Members on different processors must agree, so nothing is rounded as floats are."""
    gradient = GradientShape.of(variables, variables * bins + variables // 3, variables * bins)
    assert gradient.bins == bins
    job = RoundShape(rows, 2048, 51, (gradient, gradient))
    assert isinstance(round_products(job, 5), int)
