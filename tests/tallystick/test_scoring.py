"""Converting and scoring from the command line, by real parties on the embedded bus (C, S)."""

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import lightgbm
import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray

from bus import MemoryBroker
from learning.binning import apply_bins
from party.opening import Party
from party.predicting import Answer, Wish
from scoring.models.trained import Model
from tallystick import scoring_screen
from tests.tallystick.conftest import Trained
from tests.tallystick.federations import (
    Outcome,
    broker_for_commands,
    make_party,
    running,
    tally,
    well,
)

ASKED = [str(1000 + number) for number in range(0, 240, 9)]


@dataclass(frozen=True)
class Serving:
    """A federation with a model in its tables; partner and arbiter run."""

    folder: Path
    broker: MemoryBroker

    def score(
        self, *options: object, name: str = "bank", out: str = "scores.csv", model: str = "spring"
    ) -> Outcome:
        ids = self.folder / "ids.txt"
        if not ids.exists():
            ids.write_text("\n".join(ASKED) + "\n")
        return tally(
            *("score", model, "--as", self.folder / name, "--ids", ids),
            *("--out", self.folder / out, *options),
        )

    def scores(self, out: str = "scores.csv") -> dict[str, dict[str, str]]:
        with (self.folder / out).open() as file:
            return {row["id"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def serving(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("serving") / "copy"
    shutil.copytree(trained.folder, folder, ignore=shutil.ignore_patterns("bells"))
    for name in ("bank", "partner"):
        settings = folder / name / "party.toml"
        settings.write_text(settings.read_text().replace(str(trained.folder), str(folder)))
    broker = MemoryBroker()
    with running(broker, folder, ["partner", "arbiter"]), broker_for_commands(broker):
        yield Serving(folder, broker)


def part_in_python(folder: Path, name: str) -> dict[str, float]:
    """A party's partial scores, from its model file and its CSV file, without any SQL."""
    model = Model.model_validate_json((folder / name / "models" / "spring.json").read_bytes())
    with (folder / f"{name}.csv").open() as file:
        rows = list(csv.DictReader(file))
    scores = np.full(len(rows), model.intercept or 0.0)
    for variable in model.variables:
        column = np.array([float(row[variable.name]) for row in rows])
        weights = np.array([one.weight for one in variable.bins])
        scores += weights[apply_bins(variable.cut, column)]
    return dict(zip((row["id"] for row in rows), scores.tolist(), strict=True))


def test_scores_by_sql_are_those_of_the_model_files(serving: Serving) -> None:
    """Given a model that training converted by itself, then the answer is Python's to 1e-9."""
    outcome = well(serving.score("--how", "realtime", "--threshold", "0.5"))
    bank, partner = (part_in_python(serving.folder, name) for name in ("bank", "partner"))
    rows = serving.scores()
    assert list(rows) == ASKED
    for customer, row in rows.items():
        lacking = [
            name for name, part in (("bank", bank), ("partner", partner)) if customer not in part
        ]
        if lacking:
            assert row["status"] == f"not at {', '.join(lacking)}"
            assert (row["probability"], row["label"]) == ("", "")
            continue
        expected = 1 / (1 + np.exp(-bank[customer] - partner[customer]))
        assert row["status"] == "scored"
        assert float(row["probability"]) == pytest.approx(expected, abs=1e-9)
        assert int(row["label"]) == (1 if expected > 0.5 else -1)
    assert "partner has answered" in outcome.err
    assert f"of {len(ASKED)} customers scored by spring" in outcome.out


def test_the_same_question_has_the_same_answer(serving: Serving) -> None:
    well(serving.score(out="first.csv"))
    well(serving.score(out="second.csv"))
    assert serving.scores("first.csv") == serving.scores("second.csv")


def test_many_customers_are_asked_for_in_several_requests(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which take the memory of one; the file and the counts are those of a single request (S4)."""
    single = well(serving.score("--threshold", "0.5", out="single.csv"))
    monkeypatch.setattr(scoring_screen, "AT_ONCE", 10)
    several = well(serving.score("--threshold", "0.5", out="several.csv"))
    requests = [line for line in several.err.splitlines() if "asked of bank, partner" in line]
    assert [line.split()[1] for line in requests] == ["10", "10", "7"]
    assert serving.scores("several.csv") == serving.scores("single.csv")
    assert several.out.splitlines()[:-1] == single.out.splitlines()[:-1]


def test_scores_of_two_versions_of_a_model_are_not_mixed(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given several requests, when a version is activated meanwhile, then there is no file."""
    versions = iter((1, 2))
    follow = scoring_screen.follow_prediction

    def of_another_version(party: Party, wish: Wish, begin: Callable[[], None]) -> Answer:
        answer = follow(party, wish, begin)
        assert answer.completed is not None
        changed = answer.completed.model_copy(update={"model_version": next(versions)})
        return replace(answer, completed=changed)

    monkeypatch.setattr(scoring_screen, "AT_ONCE", 20)
    monkeypatch.setattr(scoring_screen, "follow_prediction", of_another_version)
    outcome = serving.score(out="mixed.csv")
    assert outcome.code == 1
    assert "another version of spring serves since some customers" in outcome.err
    assert not (serving.folder / "mixed.csv").exists()


def test_labels_are_a_view_that_the_log_rebuilds(serving: Serving) -> None:
    well(serving.score("--threshold", "0.6"))
    bank = serving.folder / "bank"
    before = json.loads(well(tally("projections", "show", bank, "labels", "--json")).out)
    assert {row["model"] for row in before} == {"spring"}
    shown = {row["customer"]: str(row["label"]) for row in before if row["threshold"] == "0.6"}
    assert shown == {one: row["label"] for one, row in serving.scores().items() if row["label"]}
    well(tally("projections", "rebuild", bank))
    after = json.loads(well(tally("projections", "show", bank, "labels", "--json")).out)
    assert after == before


def test_no_id_is_in_any_log_in_the_clear(serving: Serving) -> None:
    well(serving.score())
    for name in ("bank", "partner"):
        lines = well(tally("log", "show", serving.folder / name, "--json")).out
        assert '"1009"' not in lines


def test_an_initiator_of_its_own_gets_what_the_bank_gets(serving: Serving) -> None:
    """Given a party that holds no data, when it is trusted, then both parties answer it."""
    folder = serving.folder
    well(serving.score(out="by-bank.csv"))
    make_party(folder, "broker", "initiator")
    for name in ("bank", "partner"):
        well(tally("party", "trust", folder / name, folder / "broker.json"))
        well(tally("party", "trust", folder / "broker", folder / f"{name}.json"))
    outcome = serving.score("--within", "1", name="broker", out="by-broker.csv")
    assert outcome.code == 1
    assert outcome.err.splitlines()[-1].endswith("deadline: no answer in time from bank")
    assert not (folder / "by-broker.csv").exists()
    with running(serving.broker, folder, ["bank"]):
        well(serving.score(name="broker", out="by-broker.csv"))
    assert serving.scores("by-broker.csv") == serving.scores("by-bank.csv")
    assert tally("train", folder / "Spring 2026.toml", "--as", folder / "broker").code == 2


def test_conversion_twice_changes_nothing(serving: Serving) -> None:
    for name in ("bank", "partner"):
        outcome = well(tally("convert", "spring", "--as", serving.folder / name))
        assert outcome.out == "spring version 1 (logistic) was in the tables already\n"


def test_a_model_is_shown_as_the_own_halfs_scorecard(serving: Serving) -> None:
    out = well(tally("model", "show", "spring", "--as", serving.folder / "partner")).out
    assert "calls" in out
    assert "income" not in out
    listed = well(tally("model", "list", "--as", serving.folder / "bank")).out
    assert listed.splitlines()[1].split() == ["spring", "logistic", "1", "version", "1", "serves"]


def own_rows(folder: Path, name: str) -> tuple[list[str], list[str], NDArray[np.float64]]:
    """Ids, names of the features, and float64[customers, 2] of them."""
    with (folder / f"{name}.csv").open() as file:
        rows = list(csv.DictReader(file))
    columns = list(rows[0])[1:3]
    table = np.array([[float(row[column]) for column in columns] for row in rows])
    return [row["id"] for row in rows], columns, table


def test_a_model_is_printed_as_a_statement_for_another_engine(serving: Serving) -> None:
    """Given the text and the party's customers, then DuckDB scores as Python does (C3)."""
    sql = ("model", "sql", "spring", "--as", serving.folder / "partner", "--dialect", "duckdb")
    columns = well(tally(*sql, "--columns")).out
    statement = well(tally(*sql, "--features", "kept")).out
    assert statement == well(tally(*sql, "--features", "kept")).out
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE kept ({columns})")
        names = [line.split('"')[1] for line in columns.splitlines()]
        read = ", ".join(["CAST(id AS text)", *names[1:]])
        file = serving.folder / "partner.csv"
        connection.execute(f"INSERT INTO kept SELECT {read} FROM '{file}'")
        scores = dict(connection.execute(statement).fetchall())
    assert scores == pytest.approx(part_in_python(serving.folder, "partner"), abs=1e-9)
    by_table = well(tally(*sql, "--weights", "copied")).out
    assert 'FROM "copied"' in by_table
    refused = tally(*sql, "--features", "a;b")
    assert (refused.code, "no name of a table" in refused.err) == (2, True)


def test_models_of_common_libraries_are_converted_and_scored_together(serving: Serving) -> None:
    """Each party's trees read its own columns only; their raw scores add up (S3, C4)."""
    margins: list[dict[str, float]] = []
    for name, form in (("bank", "json"), ("partner", "txt")):
        ids, columns, table = own_rows(serving.folder, name)
        labels = (table[:, 0] > np.median(table[:, 0])).astype(float)
        file = serving.folder / f"{name}-trees.{form}"
        if form == "json":
            data = xgboost.DMatrix(table, labels, feature_names=columns)
            booster = xgboost.train({"objective": "binary:logistic", "nthread": 1}, data, 5)
            booster.save_model(file)
            scores = booster.predict(data, output_margin=True)
        else:
            settings = {"objective": "binary", "verbose": -1, "num_threads": 1}
            data_of_trees = lightgbm.Dataset(table, labels, feature_name=columns)
            trees = lightgbm.train(settings, data_of_trees, 5)
            trees.save_model(file)
            scores = np.asarray(trees.predict(table, raw_score=True))
        margins.append(dict(zip(ids, scores.tolist(), strict=True)))
        converted = ("convert", "--file", file, "--model-id", "trees")
        out = well(tally(*converted, "--as", serving.folder / name)).out
        assert out == "trees version 1 (trees) is in the tables now\n"
    shown = well(tally("model", "show", "trees", "--as", serving.folder / "partner")).out
    assert "combined by sigmoid" in shown
    assert "calls" in shown
    well(serving.score(out="trees.csv", model="trees"))
    for customer, row in serving.scores("trees.csv").items():
        parts = [margin.get(customer) for margin in margins]
        if None not in parts:
            expected = 1 / (1 + np.exp(-sum(filter(None, parts))))
            assert float(row["probability"]) == pytest.approx(expected, abs=1e-6)
        assert (row["status"] == "scored") == (None not in parts)


def test_a_file_that_is_no_model_is_refused_in_one_line(serving: Serving) -> None:
    file = serving.folder / "bank.csv"
    converted = ("convert", "--file", file, "--model-id", "other")
    outcome = tally(*converted, "--as", serving.folder / "bank")
    assert outcome.code == 2
    assert "no model file that is known here" in outcome.err
    assert "Traceback" not in outcome.err


def test_mistakes_are_told_before_anybody_is_asked(serving: Serving) -> None:
    for arguments, told in (
        (("score", "autumn"), "bank has no model autumn in its tables"),
        (("score", "private"), "cannot name a model"),
    ):
        outcome = tally(
            *arguments,
            *("--as", serving.folder / "bank", "--ids", serving.folder / "ids.txt"),
            *("--out", serving.folder / "scores.csv"),
        )
        assert outcome.code == 2
        assert told in outcome.err
    assert serving.score(out="scores.xlsx").code == 2
    assert tally("convert", "autumn", "--as", serving.folder / "bank").code == 2
    assert tally("model", "withdraw", "spring", "--as", serving.folder / "bank").code == 2


def test_a_model_that_is_retired_serves_again_when_it_is_activated(serving: Serving) -> None:
    partner = serving.folder / "partner"
    well(tally("model", "retire", "spring", "--as", partner))
    outcome = serving.score()
    assert outcome.code == 1
    assert "partner says retired: partner has retired the model spring" in outcome.err
    well(tally("model", "activate", "spring", "--as", partner))
    well(serving.score())


def test_three_ways_to_serve_give_one_answer(serving: Serving) -> None:
    """Given features extracted and results computed ahead, then all ways agree (S4)."""
    early = serving.score("--how", "offline", out="offline.csv")
    assert early.code == 1
    # Whoever says so first ends the request; only the bank's own reason is in full.
    assert "run `tally score precompute`" in early.err or "partner cannot score" in early.err
    for name in ("bank", "partner"):
        well(tally("features", "refresh", "--as", serving.folder / name))
        well(tally("score", "precompute", "--as", serving.folder / name))
    for how in ("realtime", "nearline", "offline"):
        well(serving.score("--how", how, out=f"{how}.csv"))
    expected = serving.scores("realtime.csv")
    assert serving.scores("nearline.csv") == expected
    assert serving.scores("offline.csv") == expected


def test_a_participant_that_withdraws_its_consent_serves_no_more(serving: Serving) -> None:
    """It is for good, and for all to hear: the bank asks nobody any more."""
    well(tally("model", "withdraw", "spring", "--as", serving.folder / "partner"))
    outcome = serving.score()
    assert outcome.code in (1, 2)
    assert "partner withdrew the consent to" in outcome.err
    again = tally("model", "withdraw", "spring", "--as", serving.folder / "partner")
    assert again.code == 2
    listed = well(tally("model", "list", "--as", serving.folder / "partner")).out
    assert "consent withdrawn by partner" in listed
