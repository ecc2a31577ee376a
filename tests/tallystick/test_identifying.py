"""`tally identify` from the command line, by real parties on the embedded bus (L1 to L4)."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from audit.reexecution import reexecute
from bus import MemoryBroker
from events.identifying import CustomersIdentified
from events.models import ModelEvaluated
from learning.folds import fold_of
from party.identifying import last_sweep
from party.jobs import job_history
from party.opening import open_party
from tests.tallystick.federations import (
    Outcome,
    broker_for_commands,
    make_federation,
    running,
    tally,
    well,
    write_job,
)

BOTH = [str(number) for number in range(1020, 1060)]
ONE_SIDED = ["1005", "1230", "9999"]
# No sweep counts for these.
TRAINED_ON = [str(number) for number in range(1070, 1076) if fold_of(str(number), 5) != 0][:4]


@dataclass(frozen=True)
class Identifying:
    """A federation with a model of the patent profile in its tables; partner and arbiter run."""

    folder: Path
    broker: MemoryBroker

    def identify(
        self,
        *options: object,
        name: str = "bank",
        ids: list[str] | None = None,
        model: str = "spring",
    ) -> Outcome:
        file = self.folder / "ids.txt"
        file.write_text("\n".join(ids or [*BOTH, *ONE_SIDED]) + "\n")
        where = () if "--sweep" in options else ("--ids", file, "--out", self.folder / "labels.csv")
        return tally("identify", model, "--as", self.folder / name, *where, *options)

    def labels(self) -> dict[str, dict[str, str]]:
        with (self.folder / "labels.csv").open() as file:
            return {row["id"]: row for row in csv.DictReader(file)}

    def kept_at(self, name: str) -> dict[tuple[str, str], int]:
        """What a party's view of final labels says."""
        shown = well(tally("projections", "show", self.folder / name, "labels", "--json")).out
        return {(row["customer"], row["threshold"]): row["label"] for row in json.loads(shown)}


@pytest.fixture(scope="module")
def identifying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Identifying]:
    folder, broker = tmp_path_factory.mktemp("identifying"), MemoryBroker()
    make_federation(folder)
    job = write_job(folder / "patent.toml", {'profile = "default"': 'profile = "patent"'})
    with running(broker, folder, ["partner", "arbiter"]), broker_for_commands(broker):
        well(tally("train", job, "--as", folder / "bank", "--job", "spring"))
        yield Identifying(folder, broker)


def test_the_bank_gets_a_file_of_labels_and_every_party_keeps_them(
    identifying: Identifying,
) -> None:
    """Given customers some of whom one party lacks, then these have a status and no label."""
    outcome = well(identifying.identify("--tau", "0.5"))
    rows = identifying.labels()
    assert list(rows) == [*BOTH, *ONE_SIDED]
    assert {rows[one]["status"] for one in BOTH} == {"identified"}
    assert {rows[one]["label"] for one in BOTH} == {"1", "-1"}
    assert [rows[one]["status"] for one in ONE_SIDED] == [
        "not at bank",
        "not at partner",
        "not at bank",
    ]
    assert {rows[one]["label"] for one in ONE_SIDED} == {""}
    assert "40 of 43 customers identified by spring at tau 0.5: " in outcome.out
    told = {(one, "tau 0.5"): int(rows[one]["label"]) for one in BOTH}
    for name in ("bank", "partner"):
        assert identifying.kept_at(name).items() >= told.items()


def test_a_participant_asks_as_the_bank_does(identifying: Identifying) -> None:
    well(identifying.identify("--tau", "0.5"))
    by_bank = identifying.labels()
    with running(identifying.broker, identifying.folder, ["bank"]):
        well(identifying.identify("--tau", "0.5", name="partner"))
    by_partner = identifying.labels()
    assert {one: by_partner[one]["label"] for one in BOTH} == {
        one: by_bank[one]["label"] for one in BOTH
    }
    assert by_partner["1005"]["status"] == "not at bank"
    assert by_partner["1230"]["status"] == "not at partner"


def test_one_customer_alone_gets_its_label_of_the_batch(identifying: Identifying) -> None:
    well(identifying.identify("--tau", "0.4"))
    batch = identifying.labels()
    well(identifying.identify("--tau", "0.4", ids=BOTH[7:8]))
    assert identifying.labels() == {BOTH[7]: batch[BOTH[7]]}


def test_nearly_everyone_above_the_sources_threshold_is_told(identifying: Identifying) -> None:
    outcome = well(identifying.identify("--tau", "0.01"))
    assert "nearly everyone is above 0.01" in outcome.err


def test_a_sweep_shows_what_thresholds_are_worth(identifying: Identifying) -> None:
    outcome = well(identifying.identify("--sweep"))
    party = open_party(identifying.folder / "bank")
    compared = last_sweep(party, "spring")
    evaluated = job_history(party.log, "spring").one(ModelEvaluated).event
    party.close()
    assert compared is not None
    assert (compared.rows, compared.joint_auc) == (evaluated.rows, evaluated.joint.auc)
    assert f"{evaluated.rows} customers held out of spring" in outcome.out
    lines = outcome.out.splitlines()
    heading = next(line for line in lines if line.lstrip().startswith("tau"))
    assert heading.split()[:2] == ["tau", "labelled"]
    assert any(line.split()[0] == "0.03" for line in lines if line.strip())
    assert "nearly everyone is labelled 1" in outcome.out
    again = well(identifying.identify("--tau", "0.5"))
    assert "on held-out customers at this threshold" in again.err


def test_scores_are_told_only_where_every_policy_allows_it(identifying: Identifying) -> None:
    outcome = identifying.identify("--tau", "0.5", "--scores")
    assert outcome.code == 1
    assert "scores-not-released" in outcome.err


def test_the_quota_of_a_customer_is_kept_in_the_log(identifying: Identifying) -> None:
    """Given a limit of two, then the third request is refused, also after a restart (L3)."""
    settings = identifying.folder / "bank" / "party.toml"
    before = settings.read_text()
    settings.write_text(before + "labels_per_customer = 2\n")
    try:
        *ids, other, another = TRAINED_ON
        well(identifying.identify("--tau", "0.5", ids=ids))
        well(identifying.identify("--tau", "0.6", ids=[*ids, other]))
        outcome = identifying.identify("--tau", "0.7", ids=[*ids, another])
        assert outcome.code == 1
        assert "2 of these have been (labels_per_customer in its [policy])" in outcome.err
        assert "Traceback" not in outcome.err
        well(tally("projections", "rebuild", identifying.folder / "bank"))
        assert identifying.identify("--tau", "0.7", ids=ids).code == 1
        well(identifying.identify("--tau", "0.7", ids=[other]))
    finally:
        settings.write_text(before)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--tau", "0"], "lies between 0 and 1"),
        (["--tau", "1"], "lies between 0 and 1"),
        (["--tau", "-0.5"], "lies between 0 and 1"),
        ([], "--tau"),
        (["--tau", "0.5", "--sweep"], "--sweep goes alone"),
    ],
)
def test_mistakes_are_told_before_anybody_is_asked(
    options: list[str], told: str, identifying: Identifying
) -> None:
    outcome = identifying.identify(*options)
    assert outcome.code == 2
    assert told in outcome.err
    assert "Traceback" not in outcome.err


def test_ids_that_repeat_are_told_before_anybody_is_asked(identifying: Identifying) -> None:
    outcome = identifying.identify("--tau", "0.5", ids=["1021", "1022", "1021"])
    assert outcome.code == 2
    assert "named more than once (1 times too often)" in outcome.err
    assert "1021" not in outcome.err


def test_a_model_that_is_not_there_is_told(identifying: Identifying) -> None:
    outcome = identifying.identify("--tau", "0.5", model="autumn")
    assert outcome.code == 2
    assert "no model autumn was trained here" in outcome.err
    partner = identifying.identify("--sweep", name="partner")
    assert partner.code == 2
    assert "only the local party sweeps" in partner.err
    arbiter = identifying.identify("--tau", "0.5", name="arbiter")
    assert arbiter.code == 2
    assert "a party with data asks for labels" in arbiter.err


def test_a_party_that_does_not_run_is_named_at_the_deadline(identifying: Identifying) -> None:
    outcome = identifying.identify("--tau", "0.5", "--within", "1", name="partner", ids=["1100"])
    assert outcome.code == 1
    assert outcome.err.splitlines()[-1].endswith("deadline: no answer in time from bank")


def test_a_retired_model_identifies_nobody_until_it_serves_again(identifying: Identifying) -> None:
    """Told by the party that retired it; the asker's own is told before anybody is asked."""
    for name, code, told in (
        ("partner", 1, "partner says retired: partner has retired the model spring"),
        ("bank", 2, "bank does not serve spring: `tally model activate spring`"),
    ):
        folder = identifying.folder / name
        well(tally("model", "retire", "spring", "--as", folder))
        outcome = identifying.identify("--tau", "0.5", ids=["1200"])
        assert outcome.code == code
        assert told in outcome.err
        well(tally("model", "activate", "spring", "--as", folder))
    well(identifying.identify("--tau", "0.5", ids=["1200"]))


def test_an_auditor_verifies_and_executes_an_identification_again(
    identifying: Identifying, tmp_path: Path
) -> None:
    """Then every number of it is decided again, to the bit, at every party (D4)."""
    well(identifying.identify("--tau", "0.5"))
    folder = identifying.folder
    cards = [("--card", folder / f"{name}.json") for name in ("bank", "partner", "arbiter")]
    party = open_party(folder / "bank")
    (last,) = party.log.said_since("arbiter", CustomersIdentified.type_name(), "")[-1:]
    party.close()
    job = last.envelope.stream
    exports = []
    for name in ("bank", "partner", "arbiter"):
        exports.append(tmp_path / f"{name}.tally")
        well(tally("log", "export", exports[-1], "--as", folder / name))
        again = well(tally("audit", "reexecute", folder / name, "--job", job, "--json"))
        document = json.loads(again.out)
        assert document["holds"]
        believed = "ModelRecalled" if name == "arbiter" else "CustomersScored"
        assert document["from_outside"][believed] == 1
        assert [one["what"] for one in document["commitments"]] == (
            ["secret, in IdentificationRequested"] if name == "bank" else []
        )
        party = open_party(folder / name)
        assert reexecute(party.log.read(limit=100_000), party.own).divergences == ()
        party.close()
    well(tally("audit", "verify", *exports, *[word for pair in cards for word in pair]))
    well(tally("audit", "compare", *exports[:2]))
    well(tally("audit", "report", *exports[:2], "--out", tmp_path / "report.html"))
    assert "labels at tau 0.5" in (tmp_path / "report.html").read_text()
    well(tally("audit", "replay", folder / "partner"))
