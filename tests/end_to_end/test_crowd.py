"""Many jobs at once between the same parties: none lost, none starved, each with its model (D2)."""

from pathlib import Path

from benchmarks.crowd import widest_round_gap
from benchmarks.few_customers import few_customers
from events.rounds import RoundCompleted
from party.jobs import job_history
from party.opening import open_party
from party.requesting import request_training
from tallystick.demo.federation import create_parties, demo_terms, running
from tests.end_to_end.finished_jobs import DATA_PARTIES, model, wait_for_models

JOBS = [f"crowd-{number}" for number in range(6)]


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
