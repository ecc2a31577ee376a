"""A party's own data, read at the edge (requirements P1, P2, P4)."""

import gzip
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pytest
from pydantic import ValidationError

from learning.binning import Rule
from party.sources import SourceSettings, Table, read_source
from tests.party.source_refusal import PRIVATE, refusal

Write = Callable[..., SourceSettings]


@pytest.fixture
def csv(tmp_path: Path) -> Write:
    """Settings for a CSV file with these lines."""

    def write(*lines: str, **settings: object) -> SourceSettings:
        path = tmp_path / "customers.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return SourceSettings.model_validate({"file": str(path), **settings})

    return write


class TestFiles:
    def test_a_csv_file_gives_ids_as_written_labels_and_columns(self, csv: Write) -> None:
        table = read_source(csv("id,y,age,job", "007,1,41,clerk", "0012,0,,farmer", "x 9,1,7.5,"))

        assert table.ids == ["007", "0012", "x 9"]
        assert table.label is not None
        assert table.label.tolist() == [1, -1, 1]
        assert np.array_equal(table.columns["age"], [41, np.nan, 7.5], equal_nan=True)
        assert table.columns["job"].tolist() == ["clerk", "farmer", None]
        assert table.notes == ("job: text, taken as 2 categories",)

    def test_a_compressed_file_is_read_alike(self, tmp_path: Path) -> None:
        path = tmp_path / "customers.csv.gz"
        path.write_bytes(gzip.compress(b"id,a\n1,5\n2,6\n"))

        assert read_source(SourceSettings(file=str(path))).columns["a"].tolist() == [5, 6]

    def test_a_parquet_file_keeps_its_types(self, tmp_path: Path) -> None:
        path = tmp_path / "customers.parquet"
        duckdb.execute(
            "COPY (SELECT 12345678901234567890::UBIGINT AS id, 1.25::DECIMAL(9, 2) AS paid, "
            "true AS member, 170141183460469231731687303715884105728::DOUBLE AS huge, "
            f"'a' AS kind, NULL::INTEGER AS empty) TO '{path}'"
        )

        table = read_source(SourceSettings(file=str(path)))

        assert table.ids == ["12345678901234567890"]
        assert [float(table.columns[name][0]) for name in ("paid", "member", "huge")] == [
            1.25,
            1.0,
            2.0**127,
        ]
        assert np.isnan(table.columns["empty"][0])
        assert table.columns["kind"].tolist() == ["a"]

    def test_a_relative_path_starts_at_the_partys_folder(self, tmp_path: Path) -> None:
        (tmp_path / "own.csv").write_text("id,a\n1,5\n", encoding="utf-8")

        assert read_source(SourceSettings(file="own.csv"), folder=tmp_path).ids == ["1"]

    def test_rows_keep_the_order_of_the_file(self, csv: Write) -> None:
        lines = [f"{number},{number % 7}" for number in range(30_000, 0, -1)]

        table = read_source(csv("id,a", *lines))

        assert table.ids == [str(number) for number in range(30_000, 0, -1)]

    def test_a_number_far_down_may_be_of_a_wider_type(self, csv: Write) -> None:
        lines = [f"{number},1" for number in range(50_000)]

        table = read_source(csv("id,a", *lines, "x,0.5"))

        assert table.columns["a"][-1] == 0.5

    def test_names_with_quotes_and_spaces_are_names(self, csv: Write) -> None:
        table = read_source(csv('id,"a ""b"" c",d\'e', "1,2,3"))

        assert list(table.columns) == ['a "b" c', "d'e"]


class TestIds:
    @pytest.mark.parametrize("name", ["id", "ID", "customer_id", "Phone", "uid"])
    def test_are_found_by_their_name(self, csv: Write, name: str) -> None:
        assert read_source(csv(f"a,{name}", "5,1", "6,2")).ids == ["1", "2"]

    def test_are_named_where_they_cannot_be_found(self, csv: Write) -> None:
        lines = ("a,b", "1,5", "2,6")

        assert "no column is plainly the id" in refusal(csv(*lines))
        assert read_source(csv(*lines, id="a")).ids == ["1", "2"]

    def test_are_named_where_several_may_be_meant(self, csv: Write) -> None:
        assert "phone, uid may be the id" in refusal(csv("phone,uid,a", "1,2,3"))

    def test_that_repeat_are_told_by_file_and_count(self, csv: Write) -> None:
        message = refusal(csv("id,a", f"{PRIVATE},1", f"{PRIVATE},2", f"{PRIVATE},3", "5,1"))

        assert "customers.csv: 2 rows repeat an id" in message

    def test_that_are_missing_are_told_by_count(self, csv: Write) -> None:
        assert "1 rows have no id" in refusal(csv("id,a", "1,1", ",2"))

    def test_of_a_type_that_loses_digits_are_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "customers.parquet"
        duckdb.execute(f"COPY (SELECT 1.5e10::DOUBLE AS id, 1 AS a) TO '{path}'")

        assert "store ids as text or whole numbers" in refusal(SourceSettings(file=str(path)))


class TestLabels:
    @pytest.mark.parametrize("labels", [("0", "1"), ("-1", "1"), ("false", "true"), ("no", "yes")])
    def test_become_minus_one_and_one(self, csv: Write, labels: tuple[str, str]) -> None:
        table = read_source(csv("id,label,a", f"1,{labels[0]},5", f"2,{labels[1]},6"))

        assert table.label is not None
        assert table.label.tolist() == [-1, 1]

    def test_stay_as_they_are_for_a_linear_model(self, csv: Write) -> None:
        table = read_source(csv("id,y,a", "1,0,5", "2,1,6"), kind="linear")

        assert table.label is not None
        assert table.label.tolist() == [0, 1]

    def test_may_be_absent_unless_asked_for(self, csv: Write) -> None:
        settings = csv("id,a,b", "1,5,6")

        assert read_source(settings).label is None
        assert "no column is plainly the label" in refusal(settings, labelled=True)

    def test_are_a_feature_like_any_other_where_none_is_wanted(self, csv: Write) -> None:
        table = read_source(csv("id,y,a", "1,0,5", "2,1,6"), labelled=False)

        assert table.label is None
        assert list(table.columns) == ["y", "a"]

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            (("bought", "not"), "the label y is text, not a number"),
            (("1", ""), "1 rows have no label"),
            (("1", "1"), "the same in all rows"),
            (("1", "2"), "2 different values; a logistic model needs 0 and 1"),
            (("1", "inf"), "the column y is infinite in 1 rows"),
        ],
    )
    def test_that_cannot_be_are_refused(
        self, csv: Write, values: tuple[str, str], expected: str
    ) -> None:
        assert expected in refusal(csv("id,y,a", f"1,{values[0]},5", f"2,{values[1]},6"))


class TestDates:
    LINES = ("id,seen,a", "1,2024-02-28,1", "2,,1", "3,2024-03-02,1")

    def test_become_days_to_the_observation_day(self, csv: Write) -> None:
        table = read_source(csv(*self.LINES, observed_on="2024-03-01"))

        assert np.array_equal(table.columns["seen"], [2, np.nan, -1], equal_nan=True)
        assert "seen: dates, taken as days before 2024-03-01" in table.notes

    def test_lose_their_time_of_day(self, csv: Write) -> None:
        lines = ("id,at", "1,2024-02-28 23:59:59", "2,", "3,1969-12-31 01:00:00")

        table = read_source(csv(*lines, observed_on="2024-03-01"))

        assert np.array_equal(table.columns["at"], [2, np.nan, 19_784], equal_nan=True)

    def test_without_an_observation_day_are_refused_with_the_remedy(self, csv: Write) -> None:
        message = refusal(csv(*self.LINES))

        assert "the column seen holds dates" in message
        assert "--observed-on" in message

    def test_that_are_no_dates_after_all_stay_text(self, csv: Write) -> None:
        table = read_source(csv("id,code,a", "1,2024-99-99,1", "2,,1"))

        assert table.columns["code"].tolist() == ["2024-99-99", None]


class TestColumns:
    def test_are_chosen_by_name(self, csv: Write) -> None:
        lines = ("id,a,b,c", "1,1,2,3")

        assert list(read_source(csv(*lines, include=["c", "a"])).columns) == ["a", "c"]
        assert list(read_source(csv(*lines, exclude=["b"])).columns) == ["a", "c"]

    @pytest.mark.parametrize(
        "settings", [{"include": ["z"]}, {"exclude": ["z"]}, {"rules": {"z": "sign"}}]
    )
    def test_that_are_not_there_are_refused_by_name(
        self, csv: Write, settings: dict[str, object]
    ) -> None:
        assert "z, which the source has not as a feature; it has a" in refusal(
            csv("id,a", "1,1", **settings)
        )

    def test_named_as_id_or_label_have_to_be_there(self, csv: Write) -> None:
        assert "there is no id column phone; the columns are id, a" in refusal(
            csv("id,a", "1,1", id="phone")
        )
        assert "there is no label column bought" in refusal(csv("id,a", "1,1", label="bought"))

    def test_of_free_text_are_refused_with_the_remedy(self, csv: Write) -> None:
        lines = [f"{number},text {number},1" for number in range(31)]

        message = refusal(csv("id,remark,a", *lines))

        assert "the column remark is text with 31 different values" in message
        assert 'exclude = ["remark"]' in message

    def test_of_free_text_can_be_kept_as_present_or_missing(self, csv: Write) -> None:
        lines = [f"{number},text {number},1" for number in range(31)]

        table = read_source(csv("id,remark,a", *lines, rules={"remark": "presence"}))

        assert table.rules == {"remark": Rule.PRESENCE}

    def test_with_infinity_are_refused_by_name(self, csv: Write) -> None:
        assert "the column a is infinite in 2 rows" in refusal(
            csv("id,a", "1,inf", "2,-inf", "3,5")
        )

    def test_not_a_number_counts_as_missing(self, csv: Write) -> None:
        assert np.isnan(read_source(csv("id,a", "1,NaN", "2,5")).columns["a"][0])

    def test_without_any_value_are_kept_and_noted(self, csv: Write) -> None:
        table = read_source(csv("id,a,b", "1,,5", "2,,6"))

        assert np.isnan(table.columns["a"].astype(float)).all()
        assert table.notes == ("a: no value at all",)

    def test_that_no_model_reads_are_refused_by_name(self, tmp_path: Path) -> None:
        path = tmp_path / "customers.parquet"
        duckdb.execute(f"COPY (SELECT '1' AS id, [1, 2] AS list) TO '{path}'")

        assert "the column list is of type INTEGER[]" in refusal(SourceSettings(file=str(path)))

    def test_there_has_to_be_one(self, csv: Write) -> None:
        assert "no feature besides id and label" in refusal(csv("id,y", "1,0", "2,1"))


class TestBrokenFiles:
    def test_that_are_not_there(self, tmp_path: Path) -> None:
        assert "there is no such file" in refusal(SourceSettings(file=str(tmp_path / "none.csv")))

    def test_that_are_empty(self, tmp_path: Path) -> None:
        path = tmp_path / "empty.csv"
        path.touch()

        assert "empty.csv: the file is empty" in refusal(SourceSettings(file=str(path)))

    def test_with_a_header_alone(self, csv: Write) -> None:
        assert "there is no row" in refusal(csv("id,a"))

    def test_with_a_torn_line_tell_its_place_and_not_its_content(self, csv: Write) -> None:
        lines = [f"{number},1" for number in range(3000)]

        message = refusal(csv("id,a", *lines, f'{PRIVATE},"2,3,4,5'))

        assert "the file cannot be read" in message

    def test_that_are_not_what_their_name_says(self, tmp_path: Path) -> None:
        path = tmp_path / "customers.parquet"
        path.write_text("id,a\n1,2\n", encoding="utf-8")

        assert "the file cannot be read" in refusal(SourceSettings(file=str(path)))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"file": "a.csv", "url": "sqlite://", "query": "SELECT 1"},
        {"url": "sqlite://"},
        {"query": "SELECT 1"},
        {"file": "a.csv", "unknown": 1},
        {"file": "a.csv", "rules": {"a": "no rule"}},
    ],
)
def test_settings_name_exactly_one_place(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SourceSettings.model_validate(settings)


def test_a_table_is_frozen() -> None:
    table = Table(["1"], {"a": np.zeros(1)}, None, {}, ())

    with pytest.raises(AttributeError):
        table.ids = []  # type: ignore[misc]
