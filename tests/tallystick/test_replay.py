"""`tally audit replay`: the views from the log alone, as of any time, beside the party's own."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.tallystick.conftest import Trained
from tests.tallystick.federations import tally, well


def test_the_partys_tables_are_what_its_log_says(trained: Trained) -> None:
    well(tally("projections", "rebuild", trained.folder / "partner"))
    document = json.loads(well(tally("audit", "replay", trained.folder / "partner", "--json")).out)
    assert document["holds"] is True
    assert [view["same"] for view in document["views"]] == [True] * len(document["views"])
    said = well(tally("audit", "replay", trained.folder / "partner")).out
    assert "the same" in said


def test_a_table_that_says_something_else_is_named(trained: Trained, tmp_path: Path) -> None:
    well(tally("projections", "rebuild", trained.folder / "bank"))
    folder = tmp_path / "bank"
    shutil.copytree(trained.folder / "bank", folder)
    with closing(sqlite3.connect(folder / "views.sqlite")) as connection:
        connection.execute("UPDATE projection_model_table SET weight = 7 WHERE ordinal = 0")
        connection.commit()
    outcome = tally("audit", "replay", folder, "--json")
    assert outcome.code == 1
    views = {view["name"]: view["same"] for view in json.loads(outcome.out)["views"]}
    assert {name for name, same in views.items() if not same} == {"model_table"}
    assert "DIFFERENT" in tally("audit", "replay", folder).out


def test_any_moment_of_the_past_can_be_seen(trained: Trained, tmp_path: Path) -> None:
    folder = trained.folder / "bank"
    lines = well(tally("log", "show", folder, "--json")).out.splitlines()
    events = [json.loads(line) for line in lines]
    stop = next(one for one in events if one["type"] == "TrainingStopped")
    before = well(tally("audit", "replay", folder, "--until", str(stop["position"] - 1))).out
    assert "job spring: training, round 3" in before
    at = well(tally("audit", "replay", folder, "--until", stop["time"])).out
    assert "job spring: stopped, round 3" in at
    kept = tmp_path / "views.sqlite"
    well(tally("audit", "replay", folder, "--until", "5", "--out", kept))
    with closing(sqlite3.connect(kept)) as connection:
        assert connection.execute("SELECT count(*) FROM projection_timeline").fetchone() == (5,)
    assert "is there already" in tally("audit", "replay", folder, "--out", kept).err
    assert "no position and no time" in tally("audit", "replay", folder, "--until", "noon").err
