"""The fast way writes the bytes of RFC 8785, whatever the value (design, Events)."""

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from events.canonical import canonical_json

NUMBERS: st.SearchStrategy[Any] = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(
    allow_nan=False, allow_infinity=False
)
TEXTS: st.SearchStrategy[Any] = st.text(st.characters(exclude_categories=["Cs"]))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
)


@given(VALUES)
def test_any_value_is_written_as_the_standard_says(value: Any) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("number", [0.0, -0.0, 1.0, 1e-5, 1e-7, 1e15, 1e16, 1e21, 0.1, -2.5e-9])
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [x], lambda x: {"a": x}, lambda x: [1, x]])
def test_numbers_at_the_edges(number: float, wrap: Any) -> None:
    assert canonical_json(wrap(number)) == rfc8785.dumps(wrap(number))


def test_what_looks_like_a_number_in_a_text_stays_text() -> None:
    value: Any = {"time": "2026-01-01T00:00:01.000000Z", "text": 'a":1.0,[2e5'}
    assert json.loads(canonical_json(value)) == value
    assert canonical_json(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [2**53, [10**17], float("nan")])
def test_what_json_cannot_say_exactly_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"JCS|exceeds|domain|float"):
        canonical_json(value)
