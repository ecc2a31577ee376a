"""Features ahead of time, and training's own view of them (requirements S4, S5, P4)."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pytest
from sqlglot import exp

from learning.binning import Rule, VariableBins
from scoring.engines.arrow import arrow_schema
from scoring.errors import ExtractionError, MissingTableError
from scoring.features import column
from scoring.refreshing import refresh
from scoring.samples import SampleKind, Samples
from scoring.stability import TrainingBins, population_stability
from scoring.tables import Column, ColumnType, Table

RAW = Table(
    "customers",
    (
        Column("phone", ColumnType.TEXT),
        Column("paid", ColumnType.NUMBER),
        Column("branch", ColumnType.TEXT),
        Column("opened", ColumnType.TIME),
        Column("seen", ColumnType.TIME),
    ),
    ("phone",),
)
SCRIPT = """
SELECT phone AS sample_id, seen AS observed_at, paid / 2.0 AS "Half paid", branch, opened
FROM customers
"""
DAY = dt.datetime(2024, 3, 1, tzinfo=dt.UTC)

Open = Callable[..., Samples]


@pytest.fixture(params=["duckdb:///batch.duckdb", "sqlite:///batch.sqlite", "postgresql"])
def open_(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    opened: list[Samples] = []
    engine = request.param
    if engine == "postgresql":
        engine = request.getfixturevalue("postgres_url")

    def make(script: str | None = SCRIPT, **settings: object) -> Samples:
        values = {"engine": engine, "table": "customers", "id": "phone", **settings}
        opened.append(Samples("customer", SampleKind.model_validate(values), tmp_path, script))
        return opened[-1]

    yield make
    for samples in opened:
        for table in ("customers", "features_customer"):
            samples.batch.drop(table)
        samples.__exit__()


def add(samples: Samples, *rows: tuple[str, float | None, str | None, int, int]) -> None:
    """Raw rows: phone, paid, branch, days since it was opened, hours after DAY when it was seen."""
    columns = list(zip(*rows, strict=True))
    values = {
        "phone": columns[0],
        "paid": columns[1],
        "branch": columns[2],
        "opened": [DAY - dt.timedelta(days=days) for days in columns[3]],
        "seen": [DAY + dt.timedelta(hours=hours) for hours in columns[4]],
    }
    samples.batch.ensure(RAW)
    samples.batch.merge(RAW, [pa.record_batch(values, schema=arrow_schema(RAW.columns))])


def kept(samples: Samples) -> Mapping[str, tuple[object, ...]]:
    """The features by id, alike in both engines."""
    found = []
    for engine in (samples.batch, samples.lookup):
        columns = engine.columns(samples.features)
        assert columns is not None
        wanted = [column(one.name) for one in columns if one.name != "observed_at"]
        rows = engine.rows(exp.select(*wanted).from_(samples.features))
        found.append({str(row[0]): tuple(row[1:]) for row in rows})
    assert found[0] == found[1]
    return found[0]


class TestRefreshing:
    def test_extracts_features_as_numbers_texts_and_days(self, open_: Open) -> None:
        samples = open_()
        add(samples, ("1", 5.0, "north", 3, 0), ("2", None, "", 10, 49))

        done = refresh(samples)

        assert kept(samples) == {"1": (2.5, "north", 3.0), "2": (None, None, 12.0)}
        assert (done.rows, done.samples) == (2, 2)
        assert done.until == DAY + dt.timedelta(hours=49)

    def test_counts_dates_to_one_day_where_one_is_given(self, open_: Open) -> None:
        samples = open_(observed_on=dt.date(2024, 3, 8))
        add(samples, ("1", 5.0, "north", 3, 0))

        refresh(samples)

        assert kept(samples) == {"1": (2.5, "north", 10.0)}

    def test_reads_the_rows_since_the_last_time_again_and_no_older_ones(self, open_: Open) -> None:
        samples = open_()
        add(samples, ("1", 5.0, "north", 3, 0), ("2", 6.0, "south", 3, 48))
        refresh(samples)
        add(samples, ("3", 8.0, "north", 3, 72), ("2", 7.0, "south", 3, 50))

        done = refresh(samples)

        assert done.rows == 2
        assert kept(samples) == {
            "1": (2.5, "north", 3.0),
            "2": (3.5, "south", 5.0),
            "3": (4.0, "north", 6.0),
        }

    def test_of_several_rows_a_sample_the_newest_counts(self, open_: Open) -> None:
        both = "SELECT {} AS sample_id, seen AS observed_at, paid, branch FROM customers"
        samples = open_(both.format("branch"))
        add(samples, ("1", 5.0, "north", 3, 7), ("2", 6.0, "north", 3, 9), ("3", 1.0, "b", 3, 0))

        assert refresh(samples).rows == 2

    def test_twice_changes_nothing_and_has_the_same_digest(self, open_: Open) -> None:
        samples = open_()
        add(samples, ("1", 5.0, "north", 3, 0), ("2", None, "", 10, 1))
        first = refresh(samples)
        before = kept(samples)

        assert refresh(samples).digest == first.digest
        assert kept(samples) == before

    def test_goes_on_where_a_copy_to_the_look_up_engine_broke_off(self, open_: Open) -> None:
        samples = open_()
        add(samples, ("1", 5.0, "north", 3, 0))
        refresh(samples)
        add(samples, ("2", 5.0, "north", 3, 24 * 9))
        refresh(samples)
        samples.lookup.drop(samples.features)

        refresh(samples)

        assert set(kept(samples)) == {"1", "2"}

    def test_other_features_than_before_are_refused_until_told(self, open_: Open) -> None:
        add(open_(), ("1", 5.0, "north", 3, 0))
        refresh(open_())
        changed = open_("SELECT phone AS sample_id, branch FROM customers")

        with pytest.raises(ExtractionError, match="features refresh --anew"):
            refresh(changed)

        refresh(changed, anew=True)
        assert kept(changed) == {"1": ("north",)}

    def test_without_a_script_every_raw_column_is_a_feature(self, open_: Open) -> None:
        samples = open_(None, observed="seen")
        add(samples, ("1", 5.0, "north", 3, 0))

        refresh(samples)

        assert kept(samples) == {"1": (5.0, "north", 3.0)}

    def test_without_a_raw_table_there_is_nothing_to_refresh(self, open_: Open) -> None:
        with pytest.raises(MissingTableError, match="customers"):
            refresh(open_())


class TestStability:
    BINS = VariableBins(
        name="Half paid",
        rule=Rule.QUANTILE,
        edges=(2.0,),
        has_missing_bin=True,
        labels=("missing", "≤ 2", "> 2"),
    )

    def test_compares_the_rows_of_today_with_those_of_the_training(self, open_: Open) -> None:
        samples = open_()
        add(samples, *((str(row), 2.0 + row % 4, "north", 3, 0) for row in range(80)))
        training = TrainingBins("spring", self.BINS, (0, 30, 30))

        indices = refresh(samples, [training]).stability

        expected = population_stability((0, 30, 30), (0, 60, 20))
        assert indices == {("spring", "Half paid"): pytest.approx(expected)}

    def test_is_nothing_for_the_same_shares_and_more_the_more_they_differ(self) -> None:
        assert population_stability((10, 30), (100, 300)) == 0
        assert population_stability((10, 30), (20, 20)) == pytest.approx(0.2746, abs=1e-4)
        assert population_stability((10, 30), (30, 10)) > 1
