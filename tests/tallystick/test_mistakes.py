"""A mistake costs one line on stderr and exit code 2, never a traceback (Bad input)."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bus import MemoryBroker
from tests.tallystick.federations import (
    Outcome,
    broker_for_commands,
    make_federation,
    tally,
    well,
    write_job,
)

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original")
    make_federation(folder)
    write_job(folder / "job.toml")
    return folder


@pytest.fixture
def place(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh copy of three parties and a job file, as the current directory."""
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    for name in ("bank", "partner"):
        settings = tmp_path / name / "party.toml"
        settings.write_text(settings.read_text().replace(str(original), str(tmp_path)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TALLY_DEBUG", raising=False)
    return tmp_path


def refused(outcome: Outcome, *words: str) -> None:
    """One line that begins with the program's name and holds these words; nothing else."""
    assert outcome.code == 2, outcome
    assert outcome.out == ""
    assert len(outcome.err.splitlines()) == 1, outcome.err
    assert outcome.err.startswith("tally: ")
    assert "Traceback" not in outcome.err
    for word in words:
        assert word in outcome.err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("nonsense", "No such command 'nonsense'"),
        ("party", "Missing command"),
        ("party new here --role local", "--name"),
        ("party new here --role boss --name x", "'boss' is not one of 'local'"),
        ("party new here --role local --name Bank", "name"),
        ("party new bank --role local --name bank", "not empty"),
        ("party new here --role local --name x --data absent.csv", "absent.csv"),
        ("party new here --role arbiter --name x --data bank.csv", "the role arbiter has none"),
        ("party new here --role local --name x --label y", "describe --data"),
        ("party new here --role local --name x --data bank.csv --observed-on 1st", "1st"),
        ("party card nowhere", "nowhere is not a party's folder"),
        ("party card bank --out no/such/folder.json", "No such file or directory"),
        ("party trust bank", "CARD"),
        ("party trust bank absent.json", "absent.json"),
        ("party trust bank bank.csv", "bank.csv is not a party's card"),
        ("party trust bank bank.json", "own name"),
        ("party run nowhere", "nowhere is not a party's folder"),
        ("party status nowhere", "nowhere is not a party's folder"),
        ("job new job.toml --as bank", "job.toml exists"),
        ("job new no/such/job.toml", "No such file or directory"),
        ("job list --as nowhere", "nowhere is not a party's folder"),
        ("job list", "--as"),
        ("job show spring --as bank", "no job spring"),
        ("job cancel spring --as bank", "no job spring"),
        ("train absent.toml --as bank", "`tally job new absent.toml` writes one"),
        ("train bank.csv --as bank", "bank.csv cannot be read"),
        ("train job.toml --as nowhere", "nowhere is not a party's folder"),
        ("train job.toml --as partner", "only a local party asks"),
        ("train job.toml --as bank --job Spring", "'Spring' cannot name a job"),
        ("log show nowhere", "nowhere is not a party's folder"),
        ("log show bank --job spring", "no event of a job spring"),
        ("log export bank --as bank", "bank is a folder: name a file in it"),
        ("log export no/log.tally --as bank", "there is no folder no"),
        ("audit report bank --out bank", "bank is a folder: name a file in it"),
        ("identify spring --as bank --sweep", "no model spring was trained here"),
        ("identify spring --as arbiter --sweep", "a party with data asks for labels"),
        ("schema --events --asyncapi", "choose one"),
        ("projections rebuild nowhere", "nowhere is not a party's folder"),
        ("projections show bank weather", "weather"),
    ],
)
def test_a_mistake_is_told_in_one_line(place: Path, line: str, words: str) -> None:
    before = sorted(path.name for path in place.iterdir())
    refused(tally(*line.split()), words)
    assert sorted(path.name for path in place.iterdir()) == before


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("folds = 5", "folds == 5", "job.toml cannot be read"),
        ("folds = 5", "folds = 5\nfoldz = 6", "foldz is no setting of a job"),
        ("folds = 5", 'folds = "many"', "folds"),
        ('arbiter = "arbiter"', "", "lacks arbiter"),
        ('arbiter = "arbiter"', 'arbiter = "judge"', "judge is not a party that bank trusts"),
        ('arbiter = "arbiter"', 'arbiter = "partner"', "named twice"),
        ('local = "bank"', 'local = "lender"', "the job's local party is lender"),
        ("short_key_for_tests = true", "", "a key of 512 bits is too short"),
        ("leak_budget = 100.0", "leak_budget = 101.0", "this party's own policy"),
        ('profile = "default"', 'profile = "fast"', "use default or patent"),
    ],
)
def test_a_wrong_job_file_is_told_in_one_line(
    place: Path, before: str, after: str, words: str
) -> None:
    file = place / "job.toml"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after, 1))
    refused(tally("train", file, "--as", "bank"), words)
    assert well(tally("job", "list", "--as", "bank")).out == "", "nothing was asked for"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda place: (place / "bank" / "keys" / "signing.key").unlink(), "signing.key"),
        (lambda place: (place / "bank" / "keys" / "signing.key").chmod(0o644), "chmod 600"),
        (lambda place: (place / "bank" / "log.sqlite").write_text("no log " * 999), "log.sqlite"),
        (lambda place: _set(place, 'role = "local"', 'role = "boss"'), "role"),
        (lambda place: _set(place, 'role = "local"', 'role = "local"\ncolour = 1'), "colour"),
        (lambda place: _set(place, 'role = "local"', "role = local"), "not TOML"),
        (lambda place: (place / "bank" / "trusted" / "partner.json").write_text("{}"), "card"),
    ],
)
def test_a_damaged_party_is_told_in_one_line(
    place: Path, damage: Callable[[Path], object], words: str
) -> None:
    damage(place)
    refused(tally("job", "list", "--as", "bank"), words)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda place: (place / "bank.csv").unlink(), "bank.csv"),
        (lambda place: (place / "bank.csv").write_text("id,income\n1,2\n"), "label"),
        (lambda place: (place / "bank.csv").write_text("id,y,a\n1,0,1\n1,1,2\n"), "repeat"),
        (lambda place: (place / "bank.csv").write_text("id,y,a\n1,1,1\n2,1,2\n"), "same in all"),
    ],
)
def test_bad_data_stops_the_request_before_anything_is_written(
    place: Path, damage: Callable[[Path], object], words: str
) -> None:
    damage(place)
    with broker_for_commands(MemoryBroker()):
        outcome = tally("train", "job.toml", "--as", "bank")
    assert outcome.code == 2
    assert outcome.err.splitlines()[-1].startswith("tally: ")
    assert words in outcome.err.splitlines()[-1]
    assert well(tally("log", "show", "bank")).out == ""


def test_a_changed_card_is_refused(place: Path) -> None:
    well(tally("party", "new", "other", "--role", "participant", "--name", "partner"))
    well(tally("party", "card", "other", "--out", "other.json"))
    refused(tally("party", "trust", "bank", "other.json"), "already trusted with another card")


def test_an_unreachable_broker_leaves_no_request_behind(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "amqp://bank:secret-word@127.0.0.1:9/tallystick?startup_timeout=0.2"
    _set(place, '"amqp://bank:${TALLY_BROKER_PASSWORD}@localhost:5672/tallystick"', f'"{url}"')
    for command in (["train", "job.toml", "--as", "bank"], ["party", "run", "bank"]):
        outcome = tally(*command)
        assert outcome.code == 2
        assert "no RabbitMQ answered" in outcome.err.splitlines()[-1]
        assert "secret-word" not in outcome.err
        assert "Traceback" not in outcome.err
    assert well(tally("log", "show", "bank")).out == ""


def test_a_fault_of_the_program_tells_its_kind_and_no_data(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_party: object, _job: str) -> None:
        raise ZeroDivisionError("customer 4711")

    monkeypatch.setattr("tallystick.commands.job.job_facts", fail)
    outcome = tally("job", "show", "spring", "--as", "bank")
    assert outcome.code == 70
    assert "ZeroDivisionError" in outcome.err
    assert "4711" not in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_debugging_shows_the_traceback(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLY_DEBUG", "1")
    outcome = tally("job", "list", "--as", "nowhere")
    assert outcome.code == 2
    assert "Traceback" in outcome.err


def test_an_interrupt_is_no_mistake(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_party: object, _job: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tallystick.commands.job.job_facts", interrupt)
    assert tally("job", "show", "spring", "--as", "bank").code == 130


def test_a_mistake_in_a_process_of_its_own(place: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tallystick", "train", "absent.toml", "--as", "bank"],
        cwd=place,
        env={"PYTHONPATH": str(REPOSITORY), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    refused(Outcome(run.returncode, run.stdout, run.stderr), "absent.toml does not exist")


def _set(place: Path, before: str, after: str) -> None:
    settings = place / "bank" / "party.toml"
    assert before in settings.read_text()
    settings.write_text(settings.read_text().replace(before, after))
