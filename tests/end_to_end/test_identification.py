"""Customers identified by real processes over RabbitMQ, and by the demo (L1 to L4)."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from audit.reexecution import reexecute
from party.opening import open_party
from tallystick.demo.run import run_demo
from tallystick.testing import events_of
from tests.brokers import PrivateBroker
from tests.end_to_end.conftest import options_for
from tests.end_to_end.test_real_federation import ROLES, parties_at_work, set_up, train

TAU = "0.3"


def identify(folder: Path, name: str, *options: str) -> subprocess.CompletedProcess[str]:
    """`tally identify`, in a process of its own beside the parties that run."""
    command = [sys.executable, "-m", "tallystick", "identify", "first", "--as", name, *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def labels_in(file: Path) -> dict[str, str]:
    with file.open() as rows:
        return {row["id"]: row["label"] for row in csv.DictReader(rows)}


def write_some_ids(folder: Path) -> None:
    """Customers of the bank, many of whom the partner has."""
    party = open_party(folder / "bank")
    source = party.settings.source
    assert source is not None
    party.close()
    table = subprocess.run(
        ["zcat", str(source.file)], capture_output=True, text=True, check=True
    ).stdout
    rows = list(csv.DictReader(table.splitlines()))
    ids = [row[next(iter(row))] for row in rows[:120]]
    (folder / "ids.txt").write_text("\n".join(ids) + "\n")


def test_three_processes_over_rabbitmq_identify_customers(
    rabbitmq: PrivateBroker, postgres_url: str, tmp_path: Path
) -> None:
    """Given a model of the patent profile, when either party asks, then all have its labels."""
    set_up(tmp_path, rabbitmq, postgres_url)
    job = tmp_path / "job.toml"
    job.write_text(job.read_text().replace('profile = "default"', 'profile = "patent"'))
    job.write_text(job.read_text().replace("leak_budget = 0.5", "leak_budget = 2.0"))
    for name in ROLES:
        settings = tmp_path / name / "party.toml"
        settings.write_text(settings.read_text() + "leak_budget = 2.0\n")
    write_some_ids(tmp_path)
    asked = ("--ids", "ids.txt", "--tau", TAU)
    with parties_at_work(tmp_path):
        done = train(tmp_path)
        assert done.returncode == 0, done.stderr
        by_bank = identify(tmp_path, "bank", *asked, "--out", "bank.csv")
        assert by_bank.returncode == 0, by_bank.stderr
        by_partner = identify(tmp_path, "partner", *asked, "--out", "partner.csv")
        assert by_partner.returncode == 0, by_partner.stderr
        swept = identify(tmp_path, "bank", "--sweep")
        assert swept.returncode == 0, swept.stderr
    labels = labels_in(tmp_path / "bank.csv")
    assert labels == labels_in(tmp_path / "partner.csv")
    assert set(labels.values()) == {"1", "-1", ""}
    assert "nearly everyone is labelled 1" in swept.stdout
    for name in ROLES:
        party = open_party(tmp_path / name)
        events = events_of(party)
        events.expect("CustomersIdentified").by("arbiter").times(3)
        events.expect("CustomersIdentified").because_of("EncryptedProbabilitiesPosted")
        events.expect("EncryptedProbabilitiesPosted").by("bank").times(3)
        events.expect("EncryptedProbabilitiesPosted").by("partner").times(3)
        events.expect("IdentificationRequested").by("partner").once()
        events.never("IdentificationRejected", "MessageRefused", "WorkFailed").causes_first()
        events.expect("FinalLabelsRecorded").times(0 if name == "arbiter" else 2)
        events.expect("ThresholdsCompared").times(1 if name == "bank" else 0)
        assert reexecute(party.log.read(limit=10_000), party.own).divergences == ()
        party.close()


@pytest.mark.parametrize("participants", [1, 2])
def test_the_demo_of_the_patent_profile_identifies_on_the_embedded_bus(
    participants: int, tmp_path: Path
) -> None:
    """On real data, with any number of participants, nearly everyone is above the source's tau."""
    options = options_for(tmp_path / "run", profile="patent", participants=participants)
    found = run_demo(options, lambda _progress: None).identified
    assert found is not None
    assert (found.customers, found.known, found.tau) == (200, 200, 0.03)
    assert found.auc == pytest.approx(found.auc_joint, abs=0.02)
    by_tau = {one.tau: one for one in found.thresholds}
    assert by_tau[0.03].share > 0.95
    assert by_tau[0.5].lift is not None
    assert by_tau[0.5].lift > 2 > by_tau[0.1].share
    arbiter = events_of(tmp_path / "run" / "arbiter")
    arbiter.expect("CustomersIdentified").times(2)
    arbiter.expect("EncryptedProbabilitiesPosted").times(2 * (1 + participants))
    arbiter.never("CustomersScored", "FinalLabelsRecorded")
