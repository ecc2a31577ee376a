"""`tally demo` on real data: as good as pooling, logged by everybody, repeatable to the bit."""

import json
from pathlib import Path

import pytest

from audit.reexecution import reexecute
from events.terms import Profile
from party.opening import open_party
from tallystick.demo.run import run_demo
from tallystick.demo.summary import Summary
from tests.end_to_end.conftest import FinishedDemos, larger_data, options_for

AUC_TARGET = 0.003
PATENT_AUC_TARGET = 0.01  # 0.0033 apart when measured: its loss is a Taylor polynomial
LARGER = {"bank_marketing": "2010-12-01", "credit_default": None, "retail_season": "2011-09-01"}


def quietly(_progress: object) -> None:
    """Nobody watches."""


def check_quality(summary: Summary, target: float = AUC_TARGET) -> None:
    """Joint as near to pooling the rows as the target, and better than the bank alone."""
    assert summary.auc_joint is not None
    assert summary.auc_pooled_reference is not None
    assert summary.auc_bank_alone is not None
    assert abs(summary.auc_joint - summary.auc_pooled_reference) <= target
    assert summary.auc_joint > summary.auc_bank_alone


@pytest.mark.parametrize("participants", [1, 2])
@pytest.mark.parametrize("name", ["term_deposit", "high_income"])
def test_the_joint_model_is_as_good_as_pooling_the_shipped_data(
    name: str, participants: int, finished_demos: FinishedDemos
) -> None:
    check_quality(finished_demos.summary(name, participants))


@pytest.mark.parametrize(
    "name", [name for name in LARGER if (larger_data() / f"{name}_bank.csv.gz").exists()]
)
def test_the_joint_model_is_as_good_as_pooling_the_larger_data(name: str, tmp_path: Path) -> None:
    """Dates, missing values, refunds, 5,000 to 42,000 customers (P3, P4)."""
    options = options_for(tmp_path / "run", name, folder=larger_data(), observed_on=LARGER[name])
    check_quality(run_demo(options, quietly))


def test_the_patent_profile_trains_and_reports(tmp_path: Path) -> None:
    profile: Profile = "patent"
    summary = run_demo(options_for(tmp_path / "run", profile=profile), quietly)
    assert summary.stopped == "all flags raised"
    assert summary.rounds > 15, "the loss must be flat for 15 rounds in a row (T9)"
    check_quality(summary, PATENT_AUC_TARGET)


def test_the_summary_has_every_figure(finished_demo: Path) -> None:
    summary = json.loads((finished_demo / "summary.json").read_text())
    assert summary["rows_aligned"] == 4220
    assert summary["training_rows"] + summary["held_out_rows"] == 4220
    assert summary["parties"]["bank"]["customers"] == 4387
    assert summary["parties"]["partner"]["customers"] == 4351
    assert summary["key_bits"] == 512
    for figure in ("auc_bank_alone", "auc_joint", "auc_pooled_reference", "rounds", "seconds"):
        assert summary[figure] > 0


@pytest.mark.parametrize("name", ["bank", "partner", "arbiter"])
def test_running_the_handlers_again_gives_the_same_events_to_the_bit(
    name: str, finished_demo: Path
) -> None:
    party = open_party(finished_demo / name)
    result = reexecute(party.log.read(limit=10_000), party.own)
    party.close()
    assert result.divergences == ()
    assert result.repeated > 10


def test_all_members_have_the_same_shared_events(finished_demo: Path) -> None:
    """Of the training all three; of the predictions those who take part in them."""
    training: list[set[bytes]] = []
    everything: list[set[bytes]] = []
    for name in ("bank", "partner", "arbiter"):
        party = open_party(finished_demo / name)
        shared = [one for one in party.log.read(limit=10_000) if not one.envelope.is_private]
        everything.append({entry.canonical for entry in shared})
        training.append(
            {entry.canonical for entry in shared if entry.envelope.stream.startswith("demo-")}
        )
        assert party.log.pending_deliveries() == []
        assert party.log.refusals() == []
        party.close()
    assert training[0] == training[1] == training[2] == everything[2]
    assert everything[0] == everything[1] > training[0]


def test_no_personal_data_is_in_any_event(finished_demo: Path) -> None:
    """P1: customer ids, values and column names stay out of every shared envelope."""
    party = open_party(finished_demo / "arbiter")
    text = b"".join(entry.canonical for entry in party.log.read(limit=10_000))
    party.close()
    for word in (b"15423419472", b"balance", b"marital", b"technician"):
        assert word not in text
