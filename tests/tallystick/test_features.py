"""`tally features` and `tally score precompute` (requirements S4, D4)."""

import re
import shutil
import signal
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
import typer
from sqlglot import exp

from events.catalogue import CATALOGUE
from events.features import FeaturesRefreshed
from party.errors import BusyError
from party.lock import running_alone
from party.opening import open_party
from party.refreshing import precompute_scores
from party.samples import open_samples
from scoring.model_tables import ModelTables
from scoring.precomputed import predictions_table
from tallystick import repeating
from tests.tallystick.conftest import Trained
from tests.tallystick.federations import CUSTOMERS, tally, well

ROWS = CUSTOMERS - 20


@pytest.fixture
def bank(trained: Trained, tmp_path: Path) -> Path:
    """A copy of the bank that trained a model, for this test to write in."""
    shutil.copytree(trained.folder, tmp_path / "federation")
    return tmp_path / "federation" / "bank"


def refreshed(bank: Path) -> list[FeaturesRefreshed]:
    with closing(open_party(bank)) as party:
        found = [CATALOGUE.read(entry.envelope).event for entry in party.log.read()]
    return [event for event in found if isinstance(event, FeaturesRefreshed)]


def give_everybody_the_same_income(bank: Path) -> None:
    with closing(open_party(bank)) as party:
        assert party.settings.source is not None
        data = str(party.settings.source.file)
    header, *lines = Path(data).read_text().splitlines()
    changed = [re.sub(r"^([0-9]+),[^,]*", r"\1,9", line) for line in lines]
    (bank / "today.csv").write_text("\n".join([header, *changed]) + "\n")
    settings = bank / "party.toml"
    settings.write_text(settings.read_text().replace(data, "today.csv"))


def test_features_are_refreshed_with_nothing_configured(bank: Path) -> None:
    """Given a party that has trained, then its features are made, and the log knows how many."""
    outcome = well(tally("features", "refresh", "--as", bank))

    assert f"customers: {ROWS} rows extracted, features of {ROWS} samples are ready" in outcome.out
    [event] = refreshed(bank)
    assert (event.rows, event.samples, event.unstable) == (ROWS, ROWS, 0)
    assert {one.variable for one in event.stability} == {"income", "age"}


def test_a_second_refresh_finds_nothing_new(bank: Path) -> None:
    well(tally("features", "refresh", "--as", bank))

    outcome = well(tally("features", "refresh", "--as", bank))

    assert f"0 rows extracted, features of {ROWS} samples are ready" in outcome.out


def test_customers_unlike_those_of_the_training_are_told(bank: Path) -> None:
    give_everybody_the_same_income(bank)

    outcome = well(tally("features", "refresh", "--as", bank))

    assert "income: today's customers differ from those that spring was trained on" in outcome.err
    [event] = refreshed(bank)
    assert event.unstable == 1
    assert event.stability[0].variable == "income"
    assert event.stability[0].index > 0.25


def test_every_sample_is_scored_ahead_by_every_active_model(bank: Path) -> None:
    first = well(tally("score", "precompute", "--as", bank))
    second = well(tally("score", "precompute", "--as", bank))

    assert f"spring version 1: {ROWS} samples are scored" in first.out
    assert first.out == second.out


def test_results_are_a_table_of_model_sample_and_value(bank: Path) -> None:
    well(tally("score", "precompute", "--as", bank))

    columns = [exp.column(name) for name in ("model_id", "sample_id", "predict_value")]
    with closing(open_party(bank)) as party, open_samples(party.settings, bank) as samples:
        model = ModelTables(samples.lookup).load("spring")
        query = (
            exp.select(*columns)
            .from_(predictions_table(model, "customers").name)
            .order_by("sample_id")
        )
        in_batch, in_lookup = samples.batch.rows(query), samples.lookup.rows(query)

    assert [tuple(row) for row in in_batch] == [tuple(row) for row in in_lookup]
    assert {row[0] for row in in_batch} == {"spring"}
    assert len({row[1] for row in in_batch}) == ROWS
    assert len({row[2] for row in in_batch}) > 1


def test_two_at_once_take_turns(bank: Path) -> None:
    with (
        closing(open_party(bank)) as party,
        running_alone(bank / "features.lock"),
        pytest.raises(BusyError, match="being refreshed by another process"),
    ):
        precompute_scores(party, patience=0)


class TestEvery:
    @pytest.mark.parametrize(
        ("text", "seconds"), [("90s", 90), ("5m", 300), ("1h", 3600), ("2d", 172_800)]
    )
    def test_takes_a_number_and_a_unit(self, text: str, seconds: float) -> None:
        assert repeating.seconds_of(text) == seconds

    @pytest.mark.parametrize("text", ["", "1", "h", "0s", "-1h", "1.5h", "32d", "1 week"])
    def test_refuses_anything_else(self, text: str) -> None:
        with pytest.raises(typer.BadParameter):
            repeating.seconds_of(text)

    def test_repeats_until_it_is_stopped(self) -> None:
        done: list[float] = []

        def once() -> None:
            done.append(time.monotonic())
            if len(done) == 3:
                threading.Timer(0, signal.raise_signal, [signal.SIGTERM]).start()

        repeating.every(0.01, once)

        assert len(done) >= 3
