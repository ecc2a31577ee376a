"""A snapshot is read back exactly as it was taken (P1 to P4)."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from handlers.snapshot import decode_snapshot, encode_snapshot
from learning.binning import Column, Rule

NAMES = st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=4)
NUMBERS = st.floats(width=64) | st.just(float("nan"))
TEXTS = st.none() | st.text(max_size=5)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], dict[str, Column]]:
    ids = draw(st.lists(st.text(min_size=1, max_size=12), unique=True, min_size=1, max_size=20))
    columns: dict[str, Column] = {}
    for name in draw(NAMES):
        if draw(st.booleans()):
            values = draw(st.lists(NUMBERS, min_size=len(ids), max_size=len(ids)))
            columns[name] = np.array(values, np.float64)
        else:
            texts = draw(st.lists(TEXTS, min_size=len(ids), max_size=len(ids)))
            columns[name] = np.array([*texts, None], dtype=object)[:-1]
    return ids, columns


@given(tables(), st.booleans())
def test_any_table_survives(table: tuple[list[str], dict[str, Column]], labelled: bool) -> None:
    ids, columns = table
    label = np.where(np.arange(len(ids)) % 2, 1.0, -1.0) if labelled else None
    rules = dict.fromkeys(list(columns)[:1], Rule.PRESENCE)
    content = b"".join(encode_snapshot(ids, columns, label, rules))
    snapshot = decode_snapshot(lambda: np.frombuffer(content, np.uint8))
    assert list(snapshot.ids) == ids
    assert dict(snapshot.rules) == rules
    assert list(snapshot.columns) == list(columns)
    for name, column in columns.items():
        if column.dtype == np.object_:
            assert list(snapshot.columns[name]) == list(column)
        else:
            np.testing.assert_array_equal(snapshot.columns[name], column)
    if label is None:
        assert snapshot.label is None
    else:
        np.testing.assert_array_equal(snapshot.label, label)
