"""A mart from the command line: key, contribution, loading, training, and what is refused (A1)."""

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from audit.reexecution import reexecute
from bus import MemoryBroker
from party.opening import open_party
from tests.tallystick.federations import (
    POLICY,
    broker_for_commands,
    running,
    tally,
    well,
    write_data,
    write_job,
)

ROLES = {"bank": "local", "partner": "participant", "arbiter": "arbiter", "mart": "mart"}
WITH_MART = {'alignment = "psi"': 'alignment = "mart"', '# mart = "mart"': 'mart = "mart" '}


def make_federation(folder: Path) -> None:
    """A bank with data, a partner without, and a mart that has the partner's numbers."""
    write_data(folder)
    for name, role in ROLES.items():
        data = ["--data", folder / "bank.csv"] if name == "bank" else []
        well(tally("party", "new", folder / name, "--role", role, "--name", name, *data))
        well(tally("party", "card", folder / name, "--out", folder / f"{name}.json"))
        with (folder / name / "party.toml").open("a") as settings:
            settings.write(POLICY)
    for name in ROLES:
        others = [folder / f"{other}.json" for other in ROLES if other != name]
        well(tally("party", "trust", folder / name, *others))
    well(tally("mart", "key", folder / "mart.key"))
    contribution = folder / "contribution.parquet"
    key = ["--key", folder / "mart.key"]
    well(tally("mart", "contribute", folder / "partner.csv", *key, "--out", contribution))
    well(tally("mart", "load", contribution, "--as", folder / "mart"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a federation that has trained with a mart."""
    folder = tmp_path_factory.mktemp("mart")
    make_federation(folder)
    shutil.copy(folder / "mart.key", folder / "bank" / "keys" / "mart.key")
    job, broker = write_job(folder / "job.toml", WITH_MART), MemoryBroker()
    with broker_for_commands(broker), running(broker, folder, ["partner", "arbiter", "mart"]):
        well(tally("train", job, "--as", folder / "bank", "--job", "spring"))
    return folder


def test_a_training_with_a_mart_has_a_model(trained: Path) -> None:
    shown = json.loads(well(tally("job", "show", "spring", "--as", trained / "bank", "--json")).out)
    assert shown["state"] == "evaluated"
    assert shown["rows"] == 200
    features = next(one["columns"] for one in shown["members"] if one["name"] == "partner")
    assert features > 2
    text = well(tally("job", "show", "spring", "--as", trained / "bank")).out
    assert "the mart matches keyed hashes without their key" in text


@pytest.mark.parametrize("name", ROLES)
def test_every_log_is_what_its_handlers_say_to_the_bit(name: str, trained: Path) -> None:
    with closing(open_party(trained / name)) as party:
        assert reexecute(party.log.read(limit=10_000), party.own).divergences == ()


def test_only_the_bank_and_the_members_have_the_key_and_the_names(trained: Path) -> None:
    key = (trained / "mart.key").read_bytes().strip()
    for name in ("partner", "arbiter", "mart"):
        for file in (trained / name).rglob("*"):
            if file.is_file():
                content = file.read_bytes()
                assert key not in content
                assert bytes.fromhex(key.decode()) not in content
                assert b"calls" not in content
    named = json.loads((trained / "contribution.columns.json").read_text())
    assert named == {"c1": "calls", "c2": "data"}


def test_a_bank_without_the_key_is_told_before_anybody_is_asked(tmp_path: Path) -> None:
    make_federation(tmp_path)
    job = write_job(tmp_path / "job.toml", WITH_MART)
    refused = tally("train", job, "--as", tmp_path / "bank", "--detach")
    assert refused.code == 2
    assert "mart.key cannot be read" in refused.err


def test_only_a_mart_loads_contributions(trained: Path) -> None:
    refused = tally("mart", "load", trained / "contribution.parquet", "--as", trained / "bank")
    assert refused.code == 2
    assert "bank is a local: only a mart loads contributions" in refused.err


def test_a_file_that_no_member_contributed_is_named(trained: Path) -> None:
    (trained / "numbers.csv").write_text("id,calls\n1,2\n")
    for file, told in {"numbers.csv": "is no contribution", "none": "No such file"}.items():
        refused = tally("mart", "load", trained / file, "--as", trained / "mart")
        assert refused.code == 2
        assert told in refused.err
        assert "Arrow" not in refused.err


def test_text_is_refused_before_anything_is_written(trained: Path) -> None:
    (trained / "text.csv").write_text("id,job\n1,clerk\n")
    out = trained / "text.parquet"
    key = ["--key", trained / "mart.key"]
    refused = tally("mart", "contribute", trained / "text.csv", *key, "--out", out)
    assert refused.code == 2
    assert "a mart takes numbers alone" in refused.err
    assert not out.exists()


def test_the_demo_runs_with_a_mart(trained: Path) -> None:
    data = ["--bank", trained / "bank.csv", "--partner", trained / "partner.csv"]
    out = trained / "demo"
    short = ["--key-bits", 512, "--leak-budget", 100, "--out", out]
    told = well(tally("demo", "--mart", *data, *short))
    summary = json.loads((out / "summary.json").read_text())
    assert summary["rows_aligned"] == 200
    assert summary["parties"]["mart"]["role"] == "mart"
    assert summary["parties"]["partner"]["features"] == 2
    assert "alignment by mart" in told.out


def test_the_demo_has_one_participant_with_a_mart(tmp_path: Path) -> None:
    refused = tally("demo", "--mart", "--participants", 2, "--out", tmp_path / "demo")
    assert refused.code == 2
    assert "a mart serves one participant" in refused.err


def test_an_auditor_needs_the_marts_key_to_run_the_bank_again(trained: Path) -> None:
    """The bank's hashes cannot be made without it; every other party goes without."""
    key = trained / "bank" / "keys" / "mart.key"
    kept = key.rename(trained / "kept.key")
    try:
        again = ["audit", "reexecute", trained / "bank", "--job", "spring"]
        refused = tally(*again)
        assert refused.code == 2
        assert "re-execution needs keys/mart.key" in refused.err
        assert "to the bit" in well(tally(*again, "--mart-key", kept)).out
    finally:
        kept.rename(key)
    for name in ("partner", "mart", "arbiter"):
        told = well(tally("audit", "reexecute", trained / name, "--job", "spring"))
        assert "to the bit" in told.out
