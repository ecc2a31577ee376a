"""Many jobs at once between the same parties: none lost, none starved, each with its model (D2)."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.crowd import widest_round_gap
from benchmarks.few_customers import few_customers
from events.models import ModelSaved
from events.rounds import RoundCompleted
from party.jobs import job_history
from party.opening import Party, open_party
from party.requesting import request_training
from tallystick.demo.federation import create_parties, demo_terms, running

JOBS = [f"crowd-{number}" for number in range(6)]
FINISH_SECONDS = 240
DATA_PARTIES = ("bank", "partner")


def wait_for_models(parties: Mapping[str, Party], jobs: list[str]) -> None:
    """Asked seldom, for they share a process."""
    give_up = time.monotonic() + FINISH_SECONDS
    for job in jobs:
        for name in DATA_PARTIES:
            while not job_history(parties[name].log, job).has_from_all(ModelSaved, DATA_PARTIES):
                assert time.monotonic() < give_up, f"{job} got stuck at {name}"
                time.sleep(0.1)


def model(folder: Path, job: str) -> dict[str, object]:
    text: dict[str, object] = json.loads((folder / "models" / f"{job}.json").read_text())
    assert text.pop("model_id") == job
    return text


def test_jobs_asked_for_at_once_go_on_together_and_end_as_each_would_alone(tmp_path: Path) -> None:
    """Given six jobs in the bank's log before anybody runs, when all run, then nobody has the
    last round of one before every other has had its first, and all models are one.
    """
    options = few_customers(tmp_path, 150)
    folders = create_parties(options)
    terms = demo_terms(options, folders)
    with running(folders, None) as parties:
        request_training(parties["bank"], "alone", terms)
        wait_for_models(parties, ["alone"])
    bank = open_party(folders["bank"])
    for job in JOBS:
        request_training(bank, job, terms)
    bank.close()
    with running(folders, None) as parties:
        wait_for_models(parties, JOBS)
        rounds = len(job_history(parties["arbiter"].log, "alone").of(RoundCompleted))
        assert widest_round_gap(parties["arbiter"].log, JOBS) < rounds
        assert parties["bank"].log.refusals() == []
    for name in DATA_PARTIES:
        alone = model(folders[name], "alone")
        assert all(model(folders[name], job) == alone for job in JOBS)
