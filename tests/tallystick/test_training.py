"""A job from the command line: asked for, followed, reported, refused, cancelled."""

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from bus import MemoryBroker
from scoring.models.trained import Model
from tests.tallystick.conftest import Trained
from tests.tallystick.federations import broker_for_commands, running, tally, well, write_job


def test_training_ends_with_the_quality_on_held_out_customers(trained: Trained) -> None:
    out = well(trained.outcome).out
    assert "held-out customers" in out
    for figure in ("AUC", "KS", "lift of the top tenth", "log-loss"):
        assert figure in out
    assert "tenth" in out
    assert "predicted" in out
    assert "3 rounds; stopped: round limit." in out
    assert str(trained.folder / "bank" / "models" / "spring.json") in out


def test_progress_is_told_on_stderr(trained: Trained) -> None:
    err = trained.outcome.err
    assert "all members have answered" in err
    assert "200 customers in common: 160 to train on, 40 held out" in err
    assert "round 1 of at most 3, predicted decrease" in err
    assert "left" in err


def test_the_model_file_is_this_partys_half(trained: Trained) -> None:
    document = (trained.folder / "bank" / "models" / "spring.json").read_bytes()
    model = Model.model_validate_json(document)
    assert (model.party, model.model_id) == ("bank", "spring")
    assert [variable.name for variable in model.variables] == ["income", "age"]


def test_a_job_can_be_shown_by_every_member(trained: Trained) -> None:
    for name in ("bank", "partner", "arbiter"):
        out = well(tally("job", "show", "spring", "--as", trained.folder / name)).out
        assert "job spring: " in out
        assert "accepted" in out
        assert "customers in common: 200; training 160, held out 40" in out
        assert "customers a ciphertext: 1" in out
        assert "rounds: 3 of at most 3; stopped: round limit" in out
    assert "AUC" not in out


def test_job_list_names_state_and_rounds(trained: Trained) -> None:
    out = well(tally("job", "list", "--as", trained.folder / "bank")).out
    assert out.splitlines()[1].split()[:3] == ["spring", "evaluated", "3"]
    listed = json.loads(well(tally("job", "list", "--as", trained.folder / "bank", "--json")).out)
    assert [(one["job"], one["state"]) for one in listed] == [("spring", "evaluated")]


def test_job_show_for_programs_has_terms_answers_and_quality(trained: Trained) -> None:
    outcome = well(tally("job", "show", "spring", "--as", trained.folder / "bank", "--json"))
    shown = json.loads(outcome.out)
    assert shown["terms"]["key_bits"] == 512
    assert {one["name"]: one["answer"] for one in shown["members"]} == {
        "bank": "asked for it",
        "partner": "accepted",
        "arbiter": "accepted",
    }
    assert 0.5 < shown["quality"]["alone"]["auc"] < shown["quality"]["joint"]["auc"] <= 1
    assert [one["round"] for one in shown["measures"]] == [1, 2, 3]


def test_the_same_job_cannot_be_asked_for_twice(trained: Trained) -> None:
    job = trained.folder / "Spring 2026.toml"
    outcome = tally("train", job, "--as", trained.folder / "bank", "--job", "spring")
    assert outcome.code == 2
    assert outcome.err.startswith("tally: job spring was requested before")


def test_a_finished_job_is_not_cancelled(trained: Trained) -> None:
    outcome = tally("job", "cancel", "spring", "--as", trained.folder / "bank")
    assert outcome.code == 2
    assert "finished" in outcome.err


def test_a_running_party_is_only_followed(federation: Path) -> None:
    """Given all three parties run, then `tally train` needs no broker of its own."""
    broker, job = MemoryBroker(), write_job(federation / "job.toml")
    with running(broker, federation, ["bank", "partner", "arbiter"]):
        outcome = well(tally("train", job, "--as", federation / "bank", "--json"))
    document = json.loads(outcome.out)
    assert document["job"].startswith("job-")
    assert document["state"] == "evaluated"
    assert document["model_file"].endswith(f"models/{document['job']}.json")


def test_a_declined_job_ends_with_the_reason(federation: Path) -> None:
    broker, job = MemoryBroker(), write_job(federation / "job.toml")
    settings = federation / "partner" / "party.toml"
    settings.write_text(settings.read_text().replace("leak_budget = 100.0", "leak_budget = 1.0"))
    with running(broker, federation, ["partner", "arbiter"]), broker_for_commands(broker):
        outcome = tally("train", job, "--as", federation / "bank", "--job", "spring")
    assert outcome.code == 1
    assert outcome.err.splitlines()[-1].startswith("tally: job spring declined: ")
    assert "the leak budget 100.0 is above this party's 1.0" in outcome.err
    shown = well(tally("job", "show", "spring", "--as", federation / "bank")).out
    assert "the leak budget 100.0 is above this party's 1.0" in shown


def test_a_failed_job_ends_with_the_reason(federation: Path) -> None:
    """Given a partner without any customer of the bank, then both learn that, and no more."""
    data = federation / "partner.csv"
    data.write_text(data.read_text().replace("\n1", "\n2"))
    broker, job = MemoryBroker(), write_job(federation / "job.toml")
    with running(broker, federation, ["partner", "arbiter"]), broker_for_commands(broker):
        outcome = tally("train", job, "--as", federation / "bank", "--job", "spring", "--json")
    assert outcome.code == 1
    assert "only 0 customers are in all data sets" in outcome.err.splitlines()[-1]
    assert json.loads(outcome.out)["state"] == "failed"


def test_detached_training_is_asked_for_and_can_be_cancelled(federation: Path) -> None:
    job, bank = write_job(federation / "job.toml"), federation / "bank"
    outcome = well(tally("train", job, "--as", bank, "--job", "spring", "--detach"))
    assert outcome.out == "spring\n"
    assert "tally party run" in outcome.err
    status = json.loads(well(tally("party", "status", bank, "--json")).out)
    assert [one["recipient"] for one in status["undelivered"]] == ["arbiter", "partner"]
    assert "waits, from position 2" in well(tally("party", "status", bank)).out
    well(tally("job", "cancel", "spring", "--as", bank, "--reason", "wrong month"))
    shown = well(tally("job", "show", "spring", "--as", bank)).out
    assert shown.startswith("job spring: cancelled, bank: cancelled: wrong month")
    again = tally("job", "cancel", "spring", "--as", bank)
    assert (again.code, again.err) == (2, "tally: job spring is over already\n")


def test_a_member_that_never_ran_is_named_until_it_comes(
    federation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given an arbiter without a queue, then train tells why, and goes on once it runs."""
    broker, job = MemoryBroker(), write_job(federation / "job.toml")
    notes: list[str] = []
    with ExitStack() as running_parties:
        running_parties.enter_context(running(broker, federation, ["bank", "partner"]))

        def start_the_arbiter_when_it_is_missed(text: str) -> None:
            notes.append(text)
            if "not delivered to arbiter yet (1 event): the recipient has no queue" in text:
                running_parties.enter_context(running(broker, federation, ["arbiter"]))

        monkeypatch.setattr("tallystick.training_screen.LOOK_SECONDS", 0.1)
        monkeypatch.setattr("tallystick.training_screen.note", start_the_arbiter_when_it_is_missed)
        well(tally("train", job, "--as", federation / "bank"))
    assert "waiting for the answer of partner, arbiter" in notes
    assert "all members have answered" in notes


def test_an_interrupt_leaves_the_job_to_the_party(
    federation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given Ctrl-C while train runs the party itself, then the party is free and the job stands."""
    job, bank = write_job(federation / "job.toml"), federation / "bank"

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tallystick.training_screen.TrainingScreen.show_waiting", interrupt)
    with broker_for_commands(MemoryBroker()):
        outcome = tally("train", job, "--as", bank, "--job", "spring")
    assert outcome.code == 130
    assert "job spring is not cancelled: `tally job cancel spring" in outcome.err
    state = json.loads(well(tally("party", "status", bank, "--json")).out)
    assert state["running"] is False
    assert [(one["job"], one["state"]) for one in state["jobs"]] == [("spring", "requested")]
