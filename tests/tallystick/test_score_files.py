"""Customers in, scores out: the files of `tally score` (requirements S3, P1)."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from scoring.results import Results
from tallystick.errors import IdFileError, ScoreFileError
from tallystick.id_file import count_ids, ids_in_parts, read_ids
from tallystick.score_file import add_scores, check_writable, table_file


def results(combination: str = "sigmoid", outputs: int = 1) -> Results:
    values = np.array([[0.25], [np.nan], [0.75]]) if outputs == 1 else np.eye(3)[:, :outputs]
    status = np.array([[0, 0], [0, 1], [0, 0]], np.uint8)
    return Results(("7", "007", "é"), ("bank", "partner"), combination, values, status)


def write_scores(path: Path, results: Results, threshold: float | None) -> None:
    with table_file(path) as add:
        add_scores(add, results, threshold)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7\n007\n", ("7", "007")),
        ("id\n7\n007\n", ("7", "007")),
        ("name,customer_id\nAnn,7\nBo,007\n", ("7", "007")),
        ('"7"\n\n"a,b"\n', ("7", "a,b")),
        ("\ufeffid\n7\n", ("7",)),
    ],
)
def test_ids_are_read_exactly_as_written(
    text: str, expected: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "ids.csv"
    file.write_text(text)
    assert read_ids(file) == expected
    assert count_ids(file) == len(expected)
    assert [one for some in ids_in_parts(file, None, 1) for one in some] == list(expected)


def test_ids_come_from_a_named_column_or_from_parquet(tmp_path: Path) -> None:
    file = tmp_path / "ids.csv"
    file.write_text("a,b\n1,7\n2,8\n")
    assert read_ids(file, "b") == ("7", "8")
    pyarrow.parquet.write_table(pa.table({"x": ["n"], "id": [7]}), tmp_path / "ids.parquet")
    assert read_ids(tmp_path / "ids.parquet") == ("7",)


@pytest.mark.parametrize(
    ("text", "column", "told"),
    [
        ("", None, "names no customers"),
        ("id\n", None, "names no customers"),
        ("id,x\n7,1\n,2\n", None, "a line without an id"),
        ("a,b\n7,1\n", None, "no column of"),
        ("a,b\n7,1\n", "c", "names no column c"),
    ],
)
def test_a_file_without_customers_is_one_clear_error(
    text: str, column: str | None, told: str, tmp_path: Path
) -> None:
    file = tmp_path / "ids.csv"
    file.write_text(text)
    with pytest.raises(IdFileError, match=told):
        read_ids(file, column)
    with pytest.raises(IdFileError, match=told):
        count_ids(file, column)
    with pytest.raises(IdFileError, match="does not exist"):
        read_ids(tmp_path / "none.csv")


def test_a_file_without_a_heading_tells_no_customer(tmp_path: Path) -> None:
    file = tmp_path / "ids.csv"
    file.write_text("4711,0\n4712,1\n")
    for column in (None, "id"):
        with pytest.raises(IdFileError) as told:
            read_ids(file, column)
        assert "4711" not in str(told.value)


def test_a_line_a_customer_with_status_probability_and_label(tmp_path: Path) -> None:
    write_scores(tmp_path / "scores.csv", results(), 0.5)
    with (tmp_path / "scores.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"id": "7", "status": "scored", "probability": "0.25", "label": "-1"},
        {"id": "007", "status": "not at partner", "probability": "", "label": ""},
        {"id": "é", "status": "scored", "probability": "0.75", "label": "1"},
    ]


def test_parquet_says_the_same(tmp_path: Path) -> None:
    write_scores(tmp_path / "scores.parquet", results("sum"), None)
    table = pyarrow.parquet.read_table(tmp_path / "scores.parquet")
    assert table.column_names == ["id", "status", "value"]
    assert table.column("value").to_pylist() == [0.25, None, 0.75]


def test_classes_have_a_column_each_and_the_most_probable_is_the_label(tmp_path: Path) -> None:
    write_scores(tmp_path / "scores.parquet", results("softmax", 2), None)
    table = pyarrow.parquet.read_table(tmp_path / "scores.parquet")
    assert table.column_names == ["id", "status", "probability_0", "probability_1", "label"]
    assert table.column("label").to_pylist() == [0, None, 0]


def test_an_older_file_stays_until_all_scores_are_written(tmp_path: Path) -> None:
    """Given scores that come in several parts, when one does not come, then nothing has changed."""
    path = tmp_path / "scores.csv"
    path.write_text("older")

    def torn() -> None:
        with table_file(path) as add:
            add_scores(add, results(), None)
            raise KeyError

    with pytest.raises(KeyError):
        torn()
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]
    with table_file(path) as add:
        for _ in range(2):
            add_scores(add, results(), None)
            assert path.read_text() == "older"
    assert len(path.read_text().splitlines()) == 1 + 2 * len(results().ids)


def test_only_the_owner_may_read_scores(tmp_path: Path) -> None:
    write_scores(tmp_path / "scores.csv", results(), None)
    assert (tmp_path / "scores.csv").stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]


def test_a_place_for_no_scores_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    ids = tmp_path / "ids.csv"
    ids.write_text("7\n")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "same.csv").symlink_to(ids)
    places = ("scores.xlsx", "nowhere/scores.csv", "folder.csv", "ids.csv", "same.csv")
    for path in (tmp_path / place for place in places):
        with pytest.raises(ScoreFileError):
            check_writable(path, ids)
    check_writable(tmp_path / "scores.csv", ids)
