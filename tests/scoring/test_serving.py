"""A party's own scores, three ways (requirements S2, S4, S7)."""

from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sqlglot import exp

from events.vocabulary import Role
from learning.binning import Rule, VariableBins
from scoring import serving
from scoring.engines.arrow import arrow_schema
from scoring.errors import ExtractionError, MissingTableError
from scoring.models.linear import BinnedTerm, LinearModel
from scoring.precomputed import precompute, predictions_table
from scoring.refreshing import refresh
from scoring.samples import SampleKind, Samples
from scoring.serving import Scorer, Way, score
from scoring.tables import Column, ColumnType, Table

SAMPLES = 5000
WAYS: tuple[Way, ...] = ("realtime", "nearline", "offline")
RAW = Table(
    "raw",
    (Column("id", ColumnType.TEXT), Column("paid", ColumnType.NUMBER)),
    ("id",),
)


def model(name: str = "paid", *, rule: Rule = Rule.QUANTILE, outputs: int = 1) -> LinearModel:
    """A score of 1 up to 100 and of 2 above, 0 where nothing was paid; ten times that next."""
    edges = {"categories": ("a", "b")} if rule is Rule.CATEGORY else {"edges": (100.0,)}
    cut = VariableBins.model_validate(
        {
            "name": name,
            "rule": rule,
            "has_missing_bin": True,
            "labels": ("missing", "low", "high"),
            **edges,
        }
    )
    weights = tuple(tuple(base * 10.0**output for base in (0, 1, 2)) for output in range(outputs))
    return LinearModel(
        model_id="spring-2026",
        role=Role.LOCAL,
        digest="0" * 64,
        kind="softmax" if outputs > 1 else "linear",
        combination="softmax" if outputs > 1 else "sum",
        outputs=outputs,
        intercepts=None,
        terms=(BinnedTerm(cut=cut, weights=weights),),
    )


@pytest.fixture
def samples(tmp_path: Path) -> Iterator[Samples]:
    """Samples 0 to 4999, who paid their number; every seventh nothing."""
    with Samples("customer", SampleKind(table="raw", id="id"), tmp_path) as opened:
        numbers = range(SAMPLES)
        values = {
            "id": [str(number) for number in numbers],
            "paid": [None if number % 7 == 0 else float(number) for number in numbers],
        }
        opened.batch.ensure(RAW)
        opened.batch.append(RAW, [pa.record_batch(values, schema=arrow_schema(RAW.columns))])
        yield opened


@pytest.fixture
def ready(samples: Samples) -> Samples:
    refresh(samples)
    precompute(samples, model(), 3)
    return samples


def answers(batches: Iterator[pa.RecordBatch]) -> dict[int, tuple[bool, float]]:
    found = {}
    for batch in batches:
        assert batch.schema.names[:3] == ["position", "found", "score_0"]
        columns = (column.to_pylist() for column in batch.columns)
        for position, is_there, value, *_ in zip(*columns, strict=True):
            assert position not in found
            found[position] = (is_there, value)
    return found


def expected(sample: str) -> tuple[bool, object]:
    if not sample.isdigit() or int(sample) >= SAMPLES:
        return (False, pytest.approx(np.nan, nan_ok=True))
    number = int(sample)
    return (True, 0.0 if number % 7 == 0 else 1.0 if number <= 100 else 2.0)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("count", [1, 3, 1500])
def test_every_id_asked_gets_an_answer_in_its_place(
    ready: Samples, way: Way, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also ids that are asked twice or unknown, and more than are joined in one query."""
    monkeypatch.setattr(serving, "AT_ONCE", 400)
    asked = [str(number * 3) for number in range(count)] + ["nobody", "'; --", "3", "3", "9999"]

    found = answers(score(model(), way, asked, ready, 3))

    assert found == {place: expected(sample) for place, sample in enumerate(asked)}


@pytest.mark.parametrize("way", WAYS)
def test_no_ids_have_no_answers(ready: Samples, way: Way) -> None:
    assert answers(score(model(), way, [], ready, 3)) == {}


def test_what_was_asked_does_not_stay_in_the_engine(ready: Samples) -> None:
    asked = [str(number) for number in range(2000)]

    found = score(model(), "nearline", asked, ready)
    next(found)
    assert isinstance(found, Generator)
    found.close()

    names = {str(row[0]) for row in ready.batch.rows(_table_names())}
    assert not [name for name in names if name.startswith("asked")]


def _table_names() -> exp.Select:
    return exp.select("table_name").from_("information_schema.tables")


def test_several_outputs_have_a_score_each(ready: Samples) -> None:
    several = model(outputs=3)
    precompute(ready, several, 1)

    for way in WAYS:
        [batch] = score(several, way, ["5", "500"], ready, 1)

        assert batch.column("score_1").to_pylist() == [10.0, 20.0]
        assert batch.column("score_2").to_pylist() == [100.0, 200.0]


def test_one_sample_is_looked_up_without_the_batch_engine(ready: Samples) -> None:
    """Given an embedded batch engine that another process has open, single look-ups go on."""
    ready.release()
    for way in ("nearline", "offline"):
        assert Scorer(model(), way, ready, 3).one("500") == (2.0,)
        assert Scorer(model(), way, ready, 3).one("nobody") is None


class TestMistakes:
    def test_features_that_were_never_made_are_named_with_the_remedy(
        self, samples: Samples
    ) -> None:
        with pytest.raises(MissingTableError, match="run `tally features refresh`"):
            list(score(model(), "nearline", ["1"], samples))

    def test_results_of_another_version_do_not_count(self, ready: Samples) -> None:
        with pytest.raises(MissingTableError, match="version 4, yet: run `tally score precompute`"):
            list(score(model(), "offline", ["1"], ready, 4))

    def test_results_of_a_version_that_came_meanwhile_do_not_count(self, ready: Samples) -> None:
        """Given a look-up that was prepared while the results were those of version 3."""
        third, fourth = (Scorer(model(), "offline", ready, version) for version in (3, 4))
        assert third.one("500") == (2.0,)
        precompute(ready, model(), 4)
        for sample_id in ("500", "nobody"):
            with pytest.raises(MissingTableError, match="version 3, yet"):
                third.one(sample_id)
        with pytest.raises(MissingTableError, match="version 3, yet"):
            list(third.score(["500"]))
        assert fourth.one("500") == (2.0,)
        precompute(ready, model(), 3)
        assert third.one("500") == (2.0,)

    def test_a_column_that_the_features_lack_is_named(self, ready: Samples) -> None:
        with pytest.raises(ExtractionError, match="owed, which the features of customer lack"):
            list(score(model("owed"), "nearline", ["1"], ready))

    def test_a_column_that_turned_from_text_to_numbers_is_named(self, ready: Samples) -> None:
        with pytest.raises(ExtractionError, match="learned paid as text"):
            list(score(model(rule=Rule.CATEGORY), "realtime", ["1"], ready))


def test_results_are_the_same_twice_and_change_with_the_features(ready: Samples) -> None:
    assert predictions_table(model(), "customer").name.startswith("predictions_spring_2026_")
    assert precompute(ready, model(), 3) == SAMPLES
    values = {"id": ["500"], "paid": [50.0]}
    ready.batch.merge(RAW, [pa.record_batch(values, schema=arrow_schema(RAW.columns))])
    refresh(ready)
    assert Scorer(model(), "offline", ready, 3).one("500") == (2.0,)
    precompute(ready, model(), 3)
    assert Scorer(model(), "offline", ready, 3).one("500") == (1.0,)
