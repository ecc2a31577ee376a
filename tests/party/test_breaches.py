"""A member whose genuine message is refused ends the job for all, with a reason (requirements D2).

Whoever waits for what was refused would wait for ever.
"""

from collections.abc import Mapping
from pathlib import Path

import pytest

from audit.reexecution import reexecute
from bus.memory import MemoryBroker
from bus.parcel import Parcel
from events.catalogue import Fact
from events.envelope import Envelope
from events.event import Event
from events.lifecycle import (
    MessageRefused,
    TrainingAccepted,
    TrainingFailed,
    TrainingStopped,
)
from events.models import ModelEvaluated, Quality
from events.preparation import IdentifiersPosted, PublicKeyIssued
from events.terms import Terms
from events.vocabulary import Role
from handlers.drafts import blob
from handlers.reactions import decide
from party import receiver
from party.errors import Reason
from party.intake import Intake
from party.jobs import job_history
from party.opening import Party
from tests.party.federation import (
    HEX,
    JOB,
    MEMBERS,
    Node,
    make_federation,
    reasons,
    request,
    run,
    say,
    terms,
)

ACCEPTED = TrainingAccepted(customers=1, secret_commitment=HEX, data_commitment=None)
KEY = PublicKeyIssued(key_id=HEX, modulus="f", obfuscator_base="f")
FAILED = TrainingFailed(code="cancelled", detail="-")


def deliver(
    broker: MemoryBroker,
    node: Node,
    envelope: Envelope,
    headers: Mapping[str, str | int] | None = None,
) -> None:
    body = envelope.canonical_bytes()
    broker.accept(Parcel(envelope.source, node.party.name, "envelope", headers or {}, body))
    node.receive(3)


def wrong_role(party: Party, asked: Fact[Event]) -> Envelope:
    """Only the arbiter issues keys."""
    return say(party, KEY, cause=asked.envelope.id).envelope


def failures(party: Party) -> list[tuple[str, str, str]]:
    found = job_history(party.log, JOB).of(TrainingFailed)
    return [(fact.source, fact.event.code, fact.event.detail) for fact in found]


def refused(party: Party) -> list[MessageRefused]:
    return [fact.event for fact in job_history(party.log, JOB).of(MessageRefused)]


def test_a_refused_message_of_a_member_ends_the_job_for_all(parties: dict[str, Party]) -> None:
    broker = MemoryBroker()
    bank, partner, arbiter = (Node(party, broker, decide) for party in parties.values())
    asked = request(bank.party)
    bank.publish()
    partner.receive(5)
    deliver(broker, bank, wrong_role(partner.party, asked))
    assert refused(bank.party) == [
        MessageRefused(job=JOB, sender="partner", reason=str(Reason.WRONG_ROLE))
    ]
    run(bank, arbiter)
    partner.receive(5)
    told = ("bank", "protocol", f"bank refused a message of partner: {Reason.WRONG_ROLE}")
    assert [failures(node.party) for node in (bank, partner, arbiter)] == [[told]] * 3
    again = reexecute(bank.party.log.read(), bank.party.own)
    assert again.holds
    assert again.from_outside == {"TrainingRequested": 1, "MessageRefused": 1}


@pytest.mark.parametrize("name", ["partner", "arbiter"])
def test_every_member_with_a_part_in_the_job_says_so(parties: dict[str, Party], name: str) -> None:
    broker = MemoryBroker()
    bank, node = Node(parties["bank"], broker, decide), Node(parties[name], broker, decide)
    asked = request(bank.party)
    bank.publish()
    node.receive(5)
    bank_key = say(bank.party, KEY, cause=asked.envelope.id).envelope
    deliver(broker, node, bank_key)
    node.react()
    detail = f"{name} refused a message of bank: {Reason.WRONG_ROLE}"
    assert failures(node.party) == [(name, "protocol", detail)]


def test_an_auditor_notes_it_and_says_nothing(tmp_path: Path) -> None:
    members = (*MEMBERS, "watcher")
    parties = make_federation(tmp_path, *members)
    broker = MemoryBroker()
    bank, watcher = (Node(parties[name], broker, decide) for name in ("bank", "watcher"))
    agreed: Terms = terms(*members)
    asked = request(bank.party, agreed)
    bank.publish()
    watcher.receive(5)
    key = say(bank.party, KEY, cause=asked.envelope.id, agreed=agreed).envelope
    deliver(broker, watcher, key)
    watcher.react()
    assert [event.sender for event in refused(watcher.party)] == ["bank"]
    assert failures(watcher.party) == []
    for party in parties.values():
        party.close()


def test_it_is_noted_once_a_member_also_after_a_restart(parties: dict[str, Party]) -> None:
    broker = MemoryBroker()
    bank = Node(parties["bank"], broker, decide)
    asked = request(bank.party)
    envelope = wrong_role(parties["partner"], asked)
    for _ in range(2):
        deliver(broker, bank, envelope)
    broker = MemoryBroker()
    bank = Node(parties["bank"], broker, decide)
    deliver(broker, bank, envelope)
    assert reasons(bank.party) == {str(Reason.WRONG_ROLE): 3}
    assert len(refused(bank.party)) == 1


def test_a_job_that_is_over_is_left_alone(parties: dict[str, Party]) -> None:
    broker = MemoryBroker()
    bank = Node(parties["bank"], broker, decide)
    asked = request(bank.party)
    say(bank.party, FAILED, cause=asked.envelope.id)
    deliver(broker, bank, wrong_role(parties["partner"], asked))
    assert refused(bank.party) == []


@pytest.mark.usefixtures("only_chunks")
def test_a_copy_of_what_is_here_ends_nothing_whatever_its_headers(
    parties: dict[str, Party],
) -> None:
    """Given a payload on its way, and then here: the headers are nobody's word."""
    broker = MemoryBroker()
    bank, partner = Node(parties["bank"], broker, decide), Node(parties["partner"], broker)
    asked = request(bank.party)
    content = blob("handles", b"h" * 16)
    posted = say(partner.party, IdentifiersPosted(customers=1), content, cause=asked.envelope.id)
    partner.publish()
    chunks = [bank.endpoint.receive(0) for _ in range(2)]
    chunk, whole = (found for found in chunks if found is not None)
    assert (chunk.parcel.kind, whole.parcel.kind) == ("chunk", "envelope")
    deliver(broker, bank, posted.envelope, whole.parcel.headers)
    deliver(broker, bank, posted.envelope)
    broker.accept(chunk.parcel)
    bank.receive(3)
    assert job_history(bank.party.log, JOB).has(IdentifiersPosted)
    deliver(broker, bank, posted.envelope)
    assert reasons(bank.party) == {str(Reason.NO_TRANSPORT): 2}
    assert refused(bank.party) == []


def test_a_fault_of_our_own_while_receiving_ends_the_job_too(
    parties: dict[str, Party], monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = MemoryBroker()
    bank = Node(parties["bank"], broker, decide)
    asked = request(bank.party)

    class Faulty(Intake):
        def take_envelope(self, *_: object) -> None:
            raise ValueError("customer 4711")

    monkeypatch.setattr(receiver, "Intake", Faulty)
    deliver(broker, bank, say(parties["partner"], ACCEPTED, cause=asked.envelope.id).envelope)
    assert [event.reason for event in refused(bank.party)] == [str(Reason.INTERNAL)]


def test_what_is_refused_after_the_training_matters_to_who_still_waits(
    parties: dict[str, Party],
) -> None:
    """Given the training stopped, then only the bank needs more: scores of held-out rows."""
    stopped = TrainingStopped(round=1, reason="round limit")
    quality = Quality()
    evaluated = ModelEvaluated(job=JOB, rows=1, joint=quality, alone=quality, calibration=())
    broker = MemoryBroker()
    bank, partner = (Node(parties[name], broker, decide) for name in ("bank", "partner"))
    asked = request(bank.party)
    bank.publish()
    partner.receive(5)
    end = say(parties["arbiter"], stopped, cause=asked.envelope.id).envelope
    for node, other in ((bank, partner), (partner, bank)):
        deliver(broker, node, end)
        deliver(broker, node, wrong_role(other.party, asked))
    for party, code in ((bank.party, ["protocol"]), (partner.party, [])):
        history = job_history(party.log, JOB)
        (noted,) = history.of(MessageRefused)
        role = history.terms.role_of(party.name)
        assert role is not None
        drafts = decide(role, history, noted, party.own)
        assert [
            getattr(item.event, "code", "") for item in drafts if hasattr(item, "event")
        ] == code
    say(bank.party, evaluated)
    history = job_history(bank.party.log, JOB)
    assert not decide(Role.LOCAL, history, history.one(MessageRefused), bank.party.own)
