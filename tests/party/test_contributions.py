"""What goes into a mart: numbers under keyed hashes, checked twice, whole or not at all (A1)."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.mart import MOST_COLUMNS
from handlers.alignment import handles_of
from party.choosing import SourceSettings
from party.contributions import (
    contribute,
    create_mart_key,
    load_contributions,
    read_mart_key,
)
from party.errors import KeyFileError, SourceError

KEY = bytes(range(32))


def csv(path: Path, header: str, *lines: str) -> SourceSettings:
    path.write_text("\n".join([header, *lines]) + "\n")
    return SourceSettings(file=str(path))


def members(folder: Path) -> list[Path]:
    """Two members; customer 2 is known to both."""
    first = csv(folder / "first.csv", "id,calls,visits", "1,10,1.5", "2,20,")
    second = csv(folder / "second.csv", "id,spent", "3,300", "2,200")
    for name, source in (("first", first), ("second", second)):
        contribute(source, KEY, folder / f"{name}.parquet")
    return [folder / "first.parquet", folder / "second.parquet"]


def test_a_contribution_has_hashes_and_numbers_and_no_names(tmp_path: Path) -> None:
    source = csv(tmp_path / "data.csv", "id,calls,visits", "15400000002,20,", "15400000001,10,1.5")
    names = contribute(source, KEY, tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet")
    assert names == ("calls", "visits")
    assert table.column_names == ["handle", "c1", "c2"]
    handles = [handle.hex() for handle in handles_of(KEY, ["15400000001", "15400000002"])]
    assert table["handle"].to_pylist() == sorted(handles)
    written = (tmp_path / "out.parquet").read_bytes()
    assert b"15400000001" not in written
    assert b"calls" not in written


def test_the_mart_joins_what_its_members_contribute(tmp_path: Path) -> None:
    out = tmp_path / "mart.parquet"
    assert load_contributions(members(tmp_path), out) == (3, 3)
    table = pq.read_table(out).to_pylist()
    rows = {row["handle"]: [row["c1"], row["c2"], row["c3"]] for row in table}
    one, two, three = (handle.hex() for handle in handles_of(KEY, ["1", "2", "3"]))
    assert list(rows) == sorted([one, two, three])
    assert rows[one] == [10, 1.5, None]
    assert (rows[two][0], rows[two][2]) == (20, 200)
    assert np.isnan(rows[two][1])
    assert rows[three] == [None, None, 300]


@pytest.mark.parametrize(
    ("header", "lines", "words"),
    [
        ("id,job", ["1,clerk", "2,nurse"], "1 columns are text, job the first"),
        ("id,calls", ["1,10", "1,20"], "1 rows repeat an id"),
        ("id,calls,y", ["1,10,0", "2,20,1"], "label may not go to a mart"),
    ],
)
def test_text_repeated_ids_and_labels_are_refused(
    header: str, lines: list[str], words: str, tmp_path: Path
) -> None:
    source = csv(tmp_path / "data.csv", header, *lines)
    with pytest.raises(SourceError, match=words):
        contribute(source, KEY, tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


def parquet(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


HANDLES = [handle.hex() for handle in handles_of(KEY, ["1", "2"])]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"handle": HANDLES, "c1": ["a", "b"]}, "is no contribution"),
        ({"handle": HANDLES, "income": [1.0, 2.0]}, "is no contribution"),
        ({"handle": HANDLES}, "is no contribution"),
        ({"handle": [HANDLES[0]] * 2, "c1": [1.0, 2.0]}, "1 rows repeat the handle"),
        ({"handle": ["15400000001", HANDLES[1]], "c1": [1.0, 2.0]}, "something else than a keyed"),
    ],
)
def test_what_no_member_wrote_with_the_command_is_refused(
    columns: dict[str, object], words: str, tmp_path: Path
) -> None:
    """Given a table of before, then it stays when a new contribution is refused."""
    out = tmp_path / "mart.parquet"
    load_contributions(members(tmp_path), out)
    before = out.read_bytes()
    hostile = parquet(tmp_path / "hostile.parquet", **columns)
    with pytest.raises(SourceError, match=words):
        load_contributions([tmp_path / "first.parquet", hostile], out)
    assert out.read_bytes() == before


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sets(st.integers(0, 30), min_size=1), min_size=1, max_size=4),
    st.integers(1, 12),
)
def test_any_members_are_joined_some_rows_at_a_time(members: list[set[int]], cells: int) -> None:
    """Given any overlaps, then each customer has every member's numbers, or none of them."""
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        patch.setattr("party.joining.CELLS_IN_A_GROUP", cells)
        for number, customers in enumerate(members):
            lines = [f"{one},{one},{100 * number + one}" for one in customers]
            contribute(
                csv(folder / "data.csv", "id,a,b", *lines), KEY, folder / f"{number}.parquet"
            )
        files = [folder / f"{number}.parquet" for number in range(len(members))]
        everybody = sorted(set().union(*members))
        assert load_contributions(files, folder / "mart.parquet") == (
            len(everybody),
            2 * len(members),
        )
        found = {
            row.pop("handle"): row for row in pq.read_table(folder / "mart.parquet").to_pylist()
        }
    handles = [handle.hex() for handle in handles_of(KEY, map(str, everybody))]
    assert list(found) == sorted(handles)
    for one, handle in zip(everybody, handles, strict=True):
        expected: list[float | None] = []
        for number, customers in enumerate(members):
            expected += [one, 100 * number + one] if one in customers else [None, None]
        assert list(found[handle].values()) == expected


def test_rows_in_another_order_are_refused(tmp_path: Path) -> None:
    turned = parquet(tmp_path / "turned.parquet", handle=sorted(HANDLES)[::-1], c1=[1.0, 2.0])
    with pytest.raises(SourceError, match="not sorted by handle"):
        load_contributions([turned], tmp_path / "mart.parquet")


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text(json.dumps({}))
    with pytest.raises(SourceError, match="is no contribution"):
        load_contributions([tmp_path / "notes.txt"], tmp_path / "mart.parquet")


def test_more_columns_than_a_mart_takes_are_refused(tmp_path: Path) -> None:
    columns = {f"c{k}": [1.0, 2.0] for k in range(1, MOST_COLUMNS + 2)}
    wide = parquet(tmp_path / "wide.parquet", handle=HANDLES, **columns)
    with pytest.raises(SourceError, match="1 to 3000"):
        load_contributions([wide], tmp_path / "mart.parquet")


def test_a_key_is_for_its_owner_alone_and_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "mart.key"
    create_mart_key(file)
    assert len(read_mart_key(file)) == 32
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(KeyFileError, match="never overwritten"):
        create_mart_key(file)
    file.chmod(0o644)
    with pytest.raises(KeyFileError, match="other users"):
        read_mart_key(file)


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mart.key"
    file.touch(mode=0o600)
    file.write_text("secret")
    with pytest.raises(KeyFileError, match="no key of a mart"):
        read_mart_key(file)
