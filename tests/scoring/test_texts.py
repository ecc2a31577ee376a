"""Ids by the million, in little memory and in the same bytes as ever (S4)."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring import texts
from scoring.results import Results, decode_results, encode_results
from scoring.texts import Texts, json_list, read_document

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=30)


@given(TEXTS, st.integers(-40, 40), st.integers(-40, 40))
def test_texts_are_a_sequence_like_any_other(found: list[str], start: int, stop: int) -> None:
    compact = Texts.of(iter(found))

    assert compact == found
    assert list(compact) == found
    assert list(compact[start:stop]) == found[start:stop]
    assert list(compact[start:stop:2]) == found[start:stop:2]
    assert [compact[row] for row in range(len(found))] == found
    assert [one for array in compact.arrays(7) for one in array.to_pylist()] == found
    assert compact != [*found, "more"]


@given(TEXTS)
def test_a_list_is_written_as_json_writes_it(found: list[str]) -> None:
    assert json_list(found) == json.dumps(found, ensure_ascii=False).encode()


@pytest.mark.parametrize("most", [0, texts.PIECE_BYTES])
@given(ids=TEXTS.filter(bool), threshold=st.none() | st.floats(0, 1))
def test_a_document_reads_alike_short_and_long(
    most: int, ids: list[str], threshold: float | None
) -> None:
    written = json.dumps({"ids": ids, "threshold": threshold}, ensure_ascii=False).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "PIECE_BYTES", most)
        found = read_document(written, pa.schema([("threshold", pa.float64())]))

    assert found["ids"] == tuple(ids)
    assert found["threshold"] == threshold


@pytest.mark.parametrize("most", [0, texts.PIECE_BYTES])
def test_results_come_out_as_they_went_in(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "PIECE_BYTES", most)
    ids = [f"2026-01-{row:02}" for row in range(1, 29)]
    values = np.arange(56.0).reshape(28, 2)
    status = np.zeros((28, 3), np.uint8)
    results = Results(Texts.of(ids), ("bank", "a", "é"), "softmax", values, status)

    found = decode_results(encode_results(results))

    assert found.ids == tuple(ids)
    assert (found.parties, found.combination) == (results.parties, results.combination)
    np.testing.assert_array_equal(found.values, values)
    np.testing.assert_array_equal(found.status, status)
    pieces = list(found.blocks(10))
    assert [len(piece.ids) for piece in pieces] == [10, 10, 8]
    np.testing.assert_array_equal(pieces[2].values, values[20:])
