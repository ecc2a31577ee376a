"""Comparing tags gives what plain sets give (A3)."""

from hypothesis import given
from hypothesis import strategies as st

from handlers.matching import common_to_all, match, repeats

NUMBERS = st.lists(st.integers(0, 40), unique=True, max_size=30)


def tags(numbers: list[int]) -> bytes:
    """Tags that agree in their first or in their last half with many others."""
    return b"".join(
        (number % 5).to_bytes(8, "little") + (number // 5).to_bytes(8, "little")
        for number in numbers
    )


@given(NUMBERS, st.lists(NUMBERS, min_size=1, max_size=3))
def test_the_common_customers_are_the_intersection_of_the_sets(
    local: list[int], others: list[list[int]]
) -> None:
    matches = [match(tags(local), tags(other)) for other in others]
    for matched, other in zip(matches, others, strict=True):
        assert {local[place] for place in matched.local} == set(local) & set(other)
    common = common_to_all(matches)
    chosen = [local[place] for place in common]
    assert set(chosen) == set(local).intersection(*others)
    for matched, other in zip(matches, others, strict=True):
        assert [other[place] for place in matched.participant_places(common)] == chosen


@given(NUMBERS)
def test_a_repeated_tag_is_seen(numbers: list[int]) -> None:
    assert not repeats(tags(numbers))
    assert all(repeats(tags([*numbers, number])) for number in numbers)
