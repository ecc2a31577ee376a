"""Aligning by keyed hashes (A1 to A3)."""

from hypothesis import given
from hypothesis import strategies as st

from handlers.alignment import (
    common_handles,
    handles_of,
    join_handles,
    rows_of,
    split_handles,
)

IDS = st.lists(st.text(min_size=1, max_size=11), unique=True, max_size=40)


@given(IDS, IDS, IDS)
def test_all_parties_hold_the_same_customers_in_the_same_order(
    bank: list[str], first: list[str], second: list[str]
) -> None:
    tables = (bank, first, second)
    handles = [handles_of(b"key", ids) for ids in tables]
    order = common_handles(handles[0], handles[1:])
    aligned = [
        [ids[row] for row in rows_of(order, own)] for ids, own in zip(tables, handles, strict=True)
    ]
    assert aligned[0] == aligned[1] == aligned[2]
    assert set(aligned[0]) == set(bank) & set(first) & set(second)


def test_a_handle_depends_on_the_key() -> None:
    assert handles_of(b"one key", ["15400000001"]) != handles_of(b"another", ["15400000001"])


@given(st.lists(st.binary(min_size=16, max_size=16)))
def test_handles_survive_the_payload(handles: list[bytes]) -> None:
    assert split_handles(join_handles(handles)) == handles
