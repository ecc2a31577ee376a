"""Old keys, forged keys and repeated ones: what a change of keys lets nobody do (D1)."""

from pathlib import Path

import pytest

from bus.parcel import Parcel
from events.envelope import Envelope, event_id
from events.lifecycle import TrainingFailed
from events.rotation import RotationTerms, new_keys, rotation_stream
from events.terms import Member
from handlers.drafts import Draft
from party.appending import Causes, StoredDraft, append_draft
from party.errors import Reason
from party.identity import Identity
from tests.party.federation import (
    ROLES,
    reasons,
    request,
)
from tests.party.rotations import Federation, end, rotation_at


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return Federation(tmp_path)


def signed_by(key: Identity, like: Envelope, **changes: object) -> bytes:
    envelope = like.model_copy(update=changes)
    place = event_id(envelope.source, envelope.stream, envelope.sequence)
    return envelope.model_copy(update={"id": place}).signed_with(key.signing).canonical_bytes()


def deliver(federation: Federation, sender: str, to: str, canonical: bytes) -> None:
    parcel = Parcel(sender, to, "envelope", {}, canonical)
    endpoint = federation.nodes[sender].endpoint
    endpoint.send(parcel, lambda _outcome: None)
    federation.nodes[to].receive()


def test_the_old_key_is_not_believed_after_the_rotation_nor_the_new_one_before(
    federation: Federation,
) -> None:
    """Given events dated after it by the old key, or before it by the new one: both are refused."""
    old = federation.party("bank").identity
    asked = request(federation.party("bank")).envelope
    federation.run()
    end(federation)
    federation.rotate("bank")
    federation.run()
    new = federation.party("bank").identity
    later = "2999-01-01T00:00:00.000000Z"
    deliver(federation, "bank", "partner", signed_by(old, asked, stream="stolen", time=later))
    assert reasons(federation.party("partner")) == {Reason.RETIRED_KEY: 1}
    deliver(federation, "bank", "partner", signed_by(new, asked, stream="early", payloads=()))
    assert reasons(federation.party("partner"))[Reason.FALSE_SIGNATURE] == 1


def test_the_thief_of_an_old_key_adds_nothing_to_the_past(federation: Federation) -> None:
    """Given everything that the bank said is here, then nothing dated before the rotation is."""
    old = federation.party("bank").identity
    asked = request(federation.party("bank")).envelope
    federation.run()
    end(federation)
    federation.rotate("bank")
    federation.run()
    head = federation.party("arbiter").log.head()
    back_dated = signed_by(old, asked, stream="back-dated", payloads=asked.payloads)
    deliver(federation, "bank", "arbiter", back_dated)
    assert federation.party("arbiter").log.head() == head
    assert reasons(federation.party("arbiter")) == {Reason.RETIRED_KEY: 1}


def forged(federation: Federation, by: Identity, **changes: object) -> bytes:
    """A rotation of the bank's keys in favour of the partner's, signed by somebody."""
    bank, partner = federation.party("bank"), federation.party("partner")
    members = tuple(Member(name=name, role=ROLES[name]) for name in ("bank", "arbiter"))
    agreed = RotationTerms(issuer="bank", members=members)
    time = "2998-01-01T00:00:00.000000Z"
    card = partner.card.model_copy(update={"name": "bank", "role": bank.role, **changes})
    event = new_keys(agreed, bank.card, card, 0, partner.identity.signing, time)
    stream = rotation_stream(bank.card, "arbiter")
    envelope = Envelope(
        id=event_id("bank", stream, 0),
        type="KeyRotated",
        schemaversion=1,
        source="bank",
        stream=stream,
        sequence=0,
        previous=None,
        cause=None,
        time=time,
        data=event.model_dump(mode="json"),
    )
    return envelope.signed_with(by.signing).canonical_bytes()


def test_a_forged_rotation_is_refused_and_shown(federation: Federation) -> None:
    """Given keys that the known one does not sign, or whose own does not: nothing changes."""
    arbiter, bank = federation.party("arbiter"), federation.party("bank")
    deliver(federation, "bank", "arbiter", forged(federation, federation.party("partner").identity))
    assert reasons(arbiter) == {Reason.FALSE_SIGNATURE: 1}
    others_key = arbiter.card.signing_key
    unproven = forged(federation, bank.identity, signing_key=others_key)
    deliver(federation, "bank", "arbiter", unproven)
    assert reasons(arbiter)[Reason.FALSE_ROTATION] == 1
    other_role = forged(federation, bank.identity, role=federation.party("partner").role)
    deliver(federation, "bank", "arbiter", other_role)
    assert reasons(arbiter)[Reason.FALSE_ROTATION] == 2
    assert arbiter.trusted.card("bank") == bank.card


def test_a_rotation_that_comes_again_changes_nothing(federation: Federation) -> None:
    federation.rotate("bank")
    federation.run()
    arbiter = federation.party("arbiter")
    told, head = rotation_at(arbiter).envelope.canonical_bytes(), arbiter.log.head()
    for _ in range(2):
        deliver(federation, "bank", "arbiter", told)
    assert arbiter.log.head() == head
    assert not reasons(arbiter)
    assert arbiter.trusted.card("bank") == federation.party("bank").card


def test_nothing_follows_a_rotation_in_its_stream(federation: Federation) -> None:
    """Given a member that speaks up in the stream of another one's keys, then it is refused."""
    federation.rotate("bank")
    federation.run()
    arbiter = federation.party("arbiter")
    rotation = rotation_at(arbiter)
    said = StoredDraft(Draft(TrainingFailed(code="internal", detail=""), rotation.job), ())
    with arbiter.log.transaction() as transaction:
        causes = Causes(shared=rotation.envelope.id)
        append_draft(transaction, arbiter, said, causes, rotation.event.terms)
    federation.run()
    assert reasons(federation.party("bank")) == {Reason.CLOSED_STREAM: 1}
