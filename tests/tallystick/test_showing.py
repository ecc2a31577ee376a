"""What can be read of a party afterwards: its log, its views, its state, the vocabulary."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from events.catalogue import CATALOGUE
from events.envelope import Envelope
from party.opening import open_party
from tests.tallystick.conftest import Trained
from tests.tallystick.federations import tally, well, write_job

REPOSITORY = Path(__file__).resolve().parents[2]


def test_log_show_is_a_readable_sequence(trained: Trained) -> None:
    lines = well(tally("log", "show", trained.folder / "bank")).out.splitlines()
    assert [int(line.split()[0]) for line in lines] == list(range(1, len(lines) + 1))
    requested = next(line for line in lines if "TrainingRequested" in line)
    assert "bank         -> TrainingRequested" in requested
    assert "alignment_key bytes[0] 0 B, sealed to partner" in requested  # psi needs none
    blinded = next(line for line in lines if "BlindedIdentifiersPosted" in line)
    assert "batch 1; points points[220] 6.9 KiB, sealed to partner" in blinded
    aligned = next(line for line in lines if "RowsAligned" in line)
    assert "job spring; held out rows 40; rows 200; training rows 160; " in aligned
    posted = next(line for line in lines if "EncryptedScorePosted" in line)
    assert "round 1; scores ciphertexts[" in posted
    assert "KiB, sealed to bank" in posted


def test_log_show_names_the_cause_by_the_id_shown_on_its_line(trained: Trained) -> None:
    lines = well(tally("log", "show", trained.folder / "arbiter")).out.splitlines()
    requested = next(line for line in lines if "TrainingRequested" in line)
    accepted = next(line for line in lines if "partner      -> TrainingAccepted" in line)
    assert f"because of {requested.split()[3]}" in accepted


def test_log_show_without_private_events_is_what_all_members_know(trained: Trained) -> None:
    folder = trained.folder / "bank"
    lines = well(tally("log", "show", folder, "--no-private")).out.splitlines()
    assert lines
    assert all(line.split()[4] == "shared" for line in lines)
    whole = well(tally("log", "show", folder)).out.splitlines()
    private = [line for line in whole if line.split()[4] == "private"]
    assert any("LossRecorded" in line for line in private)
    assert len(lines) + len(private) == len(whole)


def test_log_show_for_programs_gives_the_signed_envelopes(trained: Trained) -> None:
    out = well(tally("log", "show", trained.folder / "partner", "--json", "--job", "spring")).out
    party = open_party(trained.folder / "partner")
    entries = party.log.read()
    party.close()
    documents = [json.loads(line) for line in out.splitlines()]
    assert [document.pop("position") for document in documents] == [e.position for e in entries]
    for document, entry in zip(documents, entries, strict=True):
        envelope = Envelope.model_validate_json(json.dumps(document))
        assert envelope.canonical_bytes() == entry.canonical


def test_rebuilt_projections_have_the_same_digests(trained: Trained) -> None:
    for name in ("bank", "partner", "arbiter"):
        first = well(tally("projections", "rebuild", trained.folder / name)).out
        assert [line.split()[1] for line in first.splitlines()] == [
            "jobs",
            "labels",
            "identified",
            "loss_history",
            "model_table",
            "timeline",
        ]
        assert all(len(line.split()[0]) == 64 for line in first.splitlines())
        assert well(tally("projections", "rebuild", trained.folder / name)).out == first


@pytest.mark.parametrize(
    ("view", "words"),
    [
        ("loss", "predicted decrease"),
        ("model", "(intercept)"),
        ("jobs", "evaluated"),
        ("timeline", "TrainingStopped"),
    ],
)
def test_projections_can_be_shown(trained: Trained, view: str, words: str) -> None:
    folder = trained.folder / "bank"
    assert words in well(tally("projections", "show", folder, view)).out
    rows = json.loads(well(tally("projections", "show", folder, view, "--json")).out)
    assert {row["job"] for row in rows} == {"spring"}
    assert (
        json.loads(well(tally("projections", "show", folder, view, "--json", "--job", "other")).out)
        == []
    )


def test_status_tells_that_nothing_is_left_to_do(trained: Trained) -> None:
    state = json.loads(well(tally("party", "status", trained.folder / "bank", "--json")).out)
    assert state["running"] is False
    assert state["undelivered"] == state["refused"] == state["held_from"] == []
    assert [(job["job"], job["state"], job["round"]) for job in state["jobs"]] == [
        ("spring", "evaluated", 3)
    ]


def test_a_card_goes_to_stdout_and_its_fingerprint_to_stderr(trained: Trained) -> None:
    outcome = well(tally("party", "card", trained.folder / "bank"))
    assert json.loads(outcome.out) == json.loads((trained.folder / "bank.json").read_text())
    fingerprint = outcome.err.removeprefix("fingerprint: ").strip()
    trusted = well(
        tally("party", "trust", trained.folder / "partner", trained.folder / "bank.json")
    )
    assert fingerprint in trusted.out
    assert "Compare" in trusted.out


def test_the_schema_of_everything_comes_in_one_document() -> None:
    whole = json.loads(well(tally("schema")).out)
    assert set(whole) == {"events", "envelope", "asyncapi"}
    for part in whole:
        assert json.loads(well(tally("schema", f"--{part}")).out) == whole[part]
    assert set(whole["events"]) == set(CATALOGUE.types)


def test_log_show_follows_what_is_appended_until_it_is_interrupted(federation: Path) -> None:
    bank, job = federation / "bank", write_job(federation / "job.toml")
    well(tally("train", job, "--as", bank, "--job", "spring", "--detach"))
    # A child inherits what is ignored: SIGINT is, where the tests run in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        [sys.executable, "-m", "tallystick", "log", "show", str(bank), "--follow", "--json"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as following:
        assert following.stdout is not None
        assert following.stderr is not None
        types = [json.loads(following.stdout.readline())["type"] for _ in range(2)]
        well(tally("job", "cancel", "spring", "--as", bank))
        types.append(json.loads(following.stdout.readline())["type"])
        following.send_signal(signal.SIGINT)
        assert following.wait() == 130
        assert following.stderr.read() == ""
    assert types == ["DataSnapshotted", "TrainingRequested", "TrainingFailed"]


@pytest.mark.parametrize(
    "arguments", [("log", "show"), ("log", "show", "--json"), ("party", "card")]
)
def test_a_reader_who_has_enough_ends_the_command_quietly(
    arguments: tuple[str, ...], trained: Trained
) -> None:
    """Given `| head`, then neither a traceback nor a word; 141 is what SIGPIPE would give."""
    reading, writing = os.pipe()
    os.close(reading)
    run = subprocess.run(
        [sys.executable, "-m", "tallystick", *arguments, str(trained.folder / "bank")],
        cwd=REPOSITORY,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert run.returncode == 141
    assert [line for line in run.stderr.splitlines() if "fingerprint" not in line] == []
