"""Retention: the big vectors go, the log stays verifiable, every projection can be built again."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit.errors import EvidenceError
from audit.export import export_log
from audit.findings import Check
from audit.job_reexecution import Material, reexecute_job
from audit.job_secret import job_secret_of
from audit.log_copy import Scope
from audit.opening import open_log
from audit.standalone_verify import verify as verify_alone
from audit.verification import verify
from events.catalogue import CATALOGUE
from events.pruning import MOST_COMMITMENTS, PayloadsPruned
from party import pruning
from party.checkpointing import CheckpointKeeper
from party.doctor import examine
from party.opening import Party, open_party
from party.projecting import open_views
from party.pruning import PRUNED_KINDS, prunable, prune, pruned_commitments
from party.settling import settle_payloads
from tests.audit.conftest import JOB, Federation, trained_federation
from tests.party.federation import MEMBERS
from tests.tallystick.federations import tally, well

NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=1)


@pytest.fixture(scope="module")
def at_rest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of three parties whose training is over."""
    folder = tmp_path_factory.mktemp("trained")
    for party in trained_federation(folder).parties.values():
        settle_payloads(party)
        party.close()
    return folder


@pytest.fixture
def trained(at_rest: Path, tmp_path: Path) -> Iterator[Federation]:
    """Copies of them, open."""
    for name in MEMBERS:
        shutil.copytree(at_rest / name, tmp_path / name)
    made = Federation({name: open_party(tmp_path / name) for name in MEMBERS})
    yield made
    for party in made.parties.values():
        party.close()


def prune_all(party: Party) -> list[PayloadsPruned]:
    facts = list(prune(party, prunable(party, LATER)))
    events = [fact.event for fact in facts]
    assert all(isinstance(event, PayloadsPruned) for event in events)
    return [event for event in events if isinstance(event, PayloadsPruned)]


def kinds_here(party: Party, *, pruned: bool) -> set[str]:
    """Kinds of the payloads that are still here, or no longer."""
    return {
        reference.kind
        for entry in party.log.read(limit=10_000)
        for reference in entry.envelope.payloads
        if party.name in (entry.envelope.source, *reference.readers)
        and party.payloads.has(reference.commitment) is not pruned
    }


def digests(party: Party, *, anew: bool) -> dict[str, str]:
    with closing(open_views(party)) as views:
        if anew:
            views.rebuild(party.log)
        else:
            views.catch_up(party.log)
        return views.digests()


@pytest.mark.parametrize("name", ["bank", "partner", "arbiter"])
def test_ciphertexts_and_masked_results_go_and_nothing_else(name: str, trained: Federation) -> None:
    party = trained[name]
    before = set(party.payloads)
    events = prune_all(party)
    gone = before - set(party.payloads)
    assert gone
    assert gone == {one for event in events for one in event.commitments}
    assert kinds_here(party, pruned=True) <= PRUNED_KINDS
    assert kinds_here(party, pruned=False).isdisjoint(PRUNED_KINDS)
    assert sum(event.size for event in events) > 0
    assert pruned_commitments(party) == gone


@pytest.mark.parametrize("name", ["bank", "partner", "arbiter"])
def test_a_pruned_log_verifies_and_says_when_it_was_pruned(
    name: str, trained: Federation, tmp_path: Path
) -> None:
    """In the party's folder and in an export, for our verifier and for the one of two pages."""
    party = trained[name]
    count = sum(len(event.commitments) for event in prune_all(party))
    CheckpointKeeper(party).step(0)
    exported = tmp_path / "log.tally"
    export_log(party, exported, Scope(JOB), payloads=True)
    for place in (party.folder.path, exported):
        with open_log(str(place)) as copy:
            result = verify(copy)
        assert [one for check in result.checks for one in check.findings] == []
        notes = {check.check: check.notes for check in result.checks}
        pruned = [note for note in notes[Check.PAYLOADS] if "pruned" in note]
        assert pruned == [f"{count} payloads were pruned on {NOW:%Y-%m-%d}"]
    cards = [one.card.model_dump(mode="json") for one in trained.parties.values()]
    assert verify_alone(str(exported), cards)[0] == []


def test_what_is_missing_without_a_word_is_still_missing(trained: Federation) -> None:
    """Given a pruned log, when something else is gone too, then that is found."""
    bank = trained["bank"]
    prune_all(bank)
    kept = next(
        reference.commitment
        for entry in bank.log.read(limit=10_000)
        for reference in entry.envelope.payloads
        if reference.kind not in PRUNED_KINDS and bank.payloads.has(reference.commitment)
    )
    bank.payloads.remove([kept])
    with open_log(str(bank.folder.path)) as copy:
        findings = [one for check in verify(copy).checks for one in check.findings]
    assert len(findings) == 1
    assert "is missing" in findings[0].detail


@pytest.mark.parametrize("name", ["bank", "partner", "arbiter"])
def test_every_projection_is_built_again_as_it_was(name: str, trained: Federation) -> None:
    party = trained[name]
    before = digests(party, anew=False)
    prune_all(party)
    after = digests(party, anew=False)
    assert digests(party, anew=True) == after
    assert {view for view in before if before[view] != after[view]} <= {"timeline"}


def test_a_second_run_finds_nothing_and_a_killed_one_is_finished(
    trained: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = trained["bank"]
    found = prunable(bank, LATER)
    monkeypatch.setattr("store.payloads.PayloadStore.remove", _die)
    with pytest.raises(KeyboardInterrupt):
        list(prune(bank, found))
    monkeypatch.undo()
    assert prunable(bank, LATER) == found
    prune_all(bank)
    assert prunable(bank, LATER) == []
    with open_log(str(bank.folder.path)) as copy:
        assert verify(copy).holds


def _die(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_job_that_goes_on_or_ended_lately_keeps_everything(trained: Federation) -> None:
    assert prunable(trained["bank"], NOW - timedelta(days=1)) == []


def test_what_has_not_reached_everybody_is_kept(trained: Federation) -> None:
    bank = trained["bank"]
    whole = {one for found in prunable(bank, LATER) for one in found.commitments}
    position, commitment = next(
        (entry.position, reference.commitment)
        for entry in bank.log.read(limit=10_000)
        for reference in entry.envelope.payloads
        if reference.commitment in whole and entry.envelope.source == "bank"
    )
    with bank.log.transaction() as transaction:
        transaction.fail_delivery(position, "partner", "no queue", 1)
    left = {one for found in prunable(bank, LATER) for one in found.commitments}
    assert commitment not in left
    assert left < whole


def test_many_payloads_take_several_records(
    trained: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "MOST_COMMITMENTS", 2)
    events = prune_all(trained["bank"])
    assert len(events) > 1
    assert all(1 <= len(event.commitments) <= 2 for event in events)
    assert MOST_COMMITMENTS * 70 < 60_000  # an envelope holds 64 KiB


def test_a_pruned_job_is_not_run_again_and_no_divergence_is_claimed(trained: Federation) -> None:
    bank = trained["bank"]
    prune_all(bank)
    with (
        open_log(str(bank.folder.path)) as copy,
        pytest.raises(EvidenceError, match=rf"payloads of {JOB} were pruned on {NOW:%Y-%m-%d}"),
    ):
        reexecute_job(copy, Material(job_secret_of(bank, JOB)))


def test_the_doctor_misses_nothing_and_nobody_is_told_anew(trained: Federation) -> None:
    bank = trained["bank"]
    shared = len(bank.log.stream("bank", JOB))
    prune_all(bank)
    CheckpointKeeper(bank).step(0)
    assert len(bank.log.stream("bank", JOB)) == shared
    (found,) = [one for one in examine(bank.folder.path) if one.check == "payloads"]
    assert found.state == "ok"


def test_the_command_shows_what_it_would_remove_and_removes_it(trained: Federation) -> None:
    bank = trained["bank"]
    command = ("payloads", "prune", "--as", bank.folder.path, "--older-than")
    assert "nothing to remove" in well(tally(*command, "90d")).out
    before = set(bank.payloads)
    shown = well(tally(*command, "0h", "--dry-run"))
    assert JOB in shown.out
    assert set(bank.payloads) == before
    done = well(tally(*command, "0h"))
    assert done.out == shown.out
    assert set(bank.payloads) < before
    assert "nothing to remove" in well(tally(*command, "0h")).out
    assert tally(*command, "soon").code == 2
    said = bank.log.said_since("bank", PayloadsPruned.type_name(), "")
    assert all(CATALOGUE.read(entry.envelope).job == JOB for entry in said)
