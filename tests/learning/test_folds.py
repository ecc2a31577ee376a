"""Which customers are held out, for anyone who knows their ids."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.folds import fold_of


@given(st.integers(0, 10**15), st.integers(2, 20))
def test_a_whole_number_is_taken_modulo(number: int, folds: int) -> None:
    assert fold_of(str(number), folds) == fold_of(f"00{number}", folds) == number % folds


@pytest.mark.parametrize("customer", ["C-17", "", "1.5", "-3", " 5", "٣", "9" * 5000])
def test_any_other_id_is_hashed(customer: str) -> None:
    digest = hashlib.sha256(customer.encode()).hexdigest()

    assert fold_of(customer, 7) == int(digest[:16], 16) % 7
