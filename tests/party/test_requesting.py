"""The operator's side of a job: what is checked before anything is written, and calling it off."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from events.lifecycle import TrainingRequested, TrainingStopped
from events.terms import Member, Terms
from events.vocabulary import Role
from party import requesting
from party.creating import create_party
from party.errors import RequestError, SettingsError, SourceError
from party.jobs import job_history
from party.opening import Party, open_party, party_card, trust
from party.requesting import cancel_training, request_training
from party.work import snapshot
from tests.party.federation import JOB, ROLES, make_federation, say, terms

ROWS = "id,age,y\n" + "".join(f"{number},{20 + number % 50},{number % 2}\n" for number in range(99))


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Party]:
    """A bank with data, which trusts a partner and an arbiter."""
    others = make_federation(tmp_path, "partner", "arbiter")
    cards = []
    for name, other in others.items():
        cards.append(tmp_path / f"{name}.card")
        other.close()
    tables = '[source]\nfile = "rows.csv"\nid = "id"\nlabel = "y"\n'
    folder = create_party(tmp_path / "bank", ROLES["bank"], "bank", tables=tables)
    (folder.path / "rows.csv").write_text(ROWS)
    trust(folder.path, *cards)
    party = open_party(folder.path)
    yield party
    party.close()


def is_untouched(party: Party) -> bool:
    return party.log.head() == 0 and list(party.payloads) == []


def test_a_request_binds_the_bank_to_its_data_as_they_are(bank: Party) -> None:
    fact = request_training(bank, JOB, terms())
    assert isinstance(fact.event, TrainingRequested)
    assert fact.event.customers == 99
    snapshot, requested = bank.log.read()
    assert snapshot.envelope.type == "DataSnapshotted"
    assert snapshot.envelope.is_private
    assert requested.envelope == fact.envelope
    assert fact.event.data_commitment == snapshot.envelope.payload("table").commitment
    assert sorted(found.recipient for found in bank.log.pending_deliveries()) == [
        "arbiter",
        "partner",
    ]


def test_two_jobs_do_not_share_a_commitment_to_the_secret(bank: Party) -> None:
    one, other = request_training(bank, "one", terms()), request_training(bank, "two", terms())
    assert one.envelope.data["secret_commitment"] != other.envelope.data["secret_commitment"]


@pytest.mark.parametrize("job", ["", "private", "Job", "a b", "../x", "x" * 65])
def test_a_job_needs_a_name(bank: Party, job: str) -> None:
    with pytest.raises(RequestError, match="cannot name a job"):
        request_training(bank, job, terms())
    assert is_untouched(bank)


def with_members(*members: Member) -> Terms:
    return terms().model_copy(update={"members": members})


LOCAL = Member(name="bank", role=Role.LOCAL)
PARTNER = Member(name="partner", role=Role.PARTICIPANT)
ARBITER = Member(name="arbiter", role=Role.ARBITER)


@pytest.mark.parametrize(
    ("agreed", "complaint"),
    [
        (
            with_members(LOCAL, Member(name="stranger", role=Role.PARTICIPANT), ARBITER),
            "stranger is not a party",
        ),
        (
            with_members(
                LOCAL,
                Member(name="arbiter", role=Role.PARTICIPANT),
                Member(name="partner", role=Role.ARBITER),
            ),
            "arbiter is a arbiter, the job wants it as participant|is an? arbiter",
        ),
        (
            with_members(Member(name="other", role=Role.LOCAL), PARTNER, ARBITER),
            "local party is other",
        ),
        (terms().model_copy(update={"leak_budget": 9.0}), "own policy .* leak budget"),
        (terms().model_copy(update={"key_bits": 512}), "own policy .* too short"),
    ],
)
def test_terms_that_cannot_be_are_refused_before_anything_is_written(
    bank: Party, agreed: Terms, complaint: str
) -> None:
    with pytest.raises(RequestError, match=complaint):
        request_training(bank, JOB, agreed)
    assert is_untouched(bank)


def test_a_fault_in_the_data_is_told_before_anything_is_written(bank: Party) -> None:
    (bank.folder.path / "rows.csv").write_text("id,age\n1,2\n")
    with pytest.raises(SourceError):
        request_training(bank, JOB, terms())
    assert is_untouched(bank)


def test_a_bank_without_a_source_is_told_so(bank: Party) -> None:
    bare = bank.settings.model_copy(update={"source": None})
    blind = Party(bank.folder, bare, bank.identity, bank.trusted, bank.log, bank.payloads)
    with pytest.raises(SettingsError, match=r"no \[source\]"):
        request_training(blind, JOB, terms())
    assert is_untouched(bank)


def test_a_job_is_requested_once(bank: Party) -> None:
    request_training(bank, JOB, terms())
    with pytest.raises(RequestError, match="requested before"):
        request_training(bank, JOB, terms())


def test_of_two_requests_at_once_one_is_refused(
    bank: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given two commands that both read the data, the second one to finish writes nothing."""

    def overtaken(party: Party, job: str, agreed: Terms) -> object:
        monkeypatch.setattr(requesting, "snapshot", snapshot)
        request_training(party, job, agreed)
        return snapshot(party, job, agreed)

    monkeypatch.setattr(requesting, "snapshot", overtaken)
    with pytest.raises(RequestError, match="requested before"):
        request_training(bank, JOB, terms())
    assert [entry.envelope.type for entry in bank.log.read()] == [
        "DataSnapshotted",
        "TrainingRequested",
    ]


def test_only_a_local_party_asks(tmp_path: Path) -> None:
    create_party(tmp_path / "arbiter", Role.ARBITER, "arbiter")
    arbiter = open_party(tmp_path / "arbiter")
    with pytest.raises(RequestError, match="only a local party"):
        request_training(arbiter, JOB, terms())
    arbiter.close()


def test_a_cancelled_job_is_over_for_all_members(bank: Party) -> None:
    request_training(bank, JOB, terms())
    failed = cancel_training(bank, JOB)
    assert failed.envelope.data["code"] == "cancelled"
    assert job_history(bank.log, JOB).is_over
    assert len(bank.log.pending_deliveries()) == 4
    with pytest.raises(RequestError, match="over already"):
        cancel_training(bank, JOB)


def test_there_must_be_a_job_to_cancel(bank: Party) -> None:
    with pytest.raises(RequestError, match="no job"):
        cancel_training(bank, JOB)
    assert party_card(bank.folder.path) == bank.card


def test_a_trained_model_cannot_be_called_off(bank: Party) -> None:
    request_training(bank, JOB, terms())
    say(bank, TrainingStopped(round=1, reason="round limit"))
    with pytest.raises(RequestError, match="nothing undoes a trained model"):
        cancel_training(bank, JOB)
