"""What must not enter a log: each refused with its own reason, counted and dead-lettered."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from bus.memory import MemoryBroker
from bus.parcel import Parcel
from events.card import PartyCard
from events.catalogue import Fact
from events.envelope import Envelope, digest_of, event_id
from events.event import Event
from events.lifecycle import MessageRefused, TrainingAccepted, TrainingFailed
from events.preparation import FeaturesPrepared, IdentifiersPosted, PublicKeyIssued
from handlers.drafts import blob
from party import waiting
from party.errors import Reason
from party.jobs import job_history
from party.opening import Party
from party.sealing import seal
from party.transport import SealedPayload, chunk_parcels, envelope_headers
from tests.party.federation import (
    HEX,
    JOB,
    MEMBERS,
    Node,
    make_federation,
    reasons,
    request,
    say,
    terms,
)

ACCEPTED = TrainingAccepted(customers=1, secret_commitment=HEX, data_commitment=None)


@dataclass
class Scene:
    """The bank is under attack by its partner; it has asked for a job itself."""

    parties: Mapping[str, Party]
    broker: MemoryBroker
    bank: Node
    request: Fact[Event]

    @property
    def partner(self) -> Party:
        return self.parties["partner"]

    def accepted(self, **changes: Any) -> Envelope:
        """The partner's next event in the job, changed at will and signed as it should be."""
        values: dict[str, Any] = {
            "id": event_id("partner", JOB, 0),
            "type": "TrainingAccepted",
            "schemaversion": 1,
            "source": "partner",
            "stream": JOB,
            "sequence": 0,
            "previous": None,
            "cause": self.request.envelope.id,
            "time": "2999-01-01T00:00:00.000000Z",
            "data": ACCEPTED.model_dump(mode="json"),
        }
        return Envelope(**(values | changes)).signed_with(self.partner.identity.signing)

    def deliver(
        self,
        envelope: Envelope | bytes,
        headers: Mapping[str, str | int] | None = None,
        sender: str = "partner",
    ) -> None:
        body = envelope if isinstance(envelope, bytes) else envelope.canonical_bytes()
        self.broker.accept(Parcel(sender, "bank", "envelope", headers or {}, body))
        self.bank.receive(3)

    def expect(self, reason: Reason, *, ends_job: bool = True) -> None:
        """Refused for this reason alone, once, set aside with it, and not in the log.

        A genuine message of a member is noted, for the handlers to end the job.
        """
        party = self.bank.party
        assert reasons(party) == {str(reason): 1}
        assert [letter.reason for letter in self.broker.dead_letters("bank")] == [str(reason)]
        noted = ["MessageRefused"] if ends_job else []
        assert [entry.envelope.type for entry in party.log.read()] == ["TrainingRequested", *noted]

    def count(self, kind: type[Event]) -> int:
        """Events of one type in the bank's log."""
        return len(job_history(self.bank.party.log, JOB).of(kind))


@pytest.fixture
def scene(parties: dict[str, Party]) -> Scene:
    broker = MemoryBroker()
    return Scene(parties, broker, Node(parties["bank"], broker), request(parties["bank"]))


def test_what_is_right_is_taken_in(scene: Scene) -> None:
    scene.deliver(scene.accepted())
    assert not reasons(scene.bank.party)
    assert scene.bank.party.log.head() == 2


# Nobody can say that these come from a member, or for which job they are.
FORGED = {
    Reason.NOT_AN_ENVELOPE,
    Reason.FALSE_IDENTITY,
    Reason.FALSE_SIGNATURE,
    Reason.PRIVATE_EVENT,
}
ALONE: list[tuple[Reason, Callable[[Scene], Envelope | bytes]]] = [
    (Reason.NOT_AN_ENVELOPE, lambda scene: b"not json"),
    (Reason.NOT_AN_ENVELOPE, lambda scene: b"{}"),
    (Reason.NOT_AN_ENVELOPE, lambda scene: b" " * (64 * 1024 + 1)),
    (Reason.NOT_AN_ENVELOPE, lambda scene: b" " + scene.accepted().canonical_bytes()),
    (Reason.NOT_AN_ENVELOPE, lambda scene: scene.accepted().canonical_bytes()[:-1]),
    (Reason.FALSE_IDENTITY, lambda scene: scene.accepted(id=HEX)),
    (Reason.FALSE_SIGNATURE, lambda scene: scene.accepted().model_copy(update={"cause": None})),
    (
        Reason.FALSE_SIGNATURE,
        lambda scene: scene.accepted().signed_with(scene.parties["arbiter"].identity.signing),
    ),
    (Reason.UNKNOWN_EVENT, lambda scene: scene.accepted(type="TrainingLoved")),
    (Reason.UNKNOWN_EVENT, lambda scene: scene.accepted(schemaversion=99)),
    (Reason.AGAINST_SCHEMA, lambda scene: scene.accepted(data={"customers": "many"})),
    (Reason.AGAINST_SCHEMA, lambda scene: scene.accepted(type="IdentifiersPosted")),
    (
        Reason.PRIVATE_EVENT,
        lambda scene: scene.accepted(stream="private", id=event_id("partner", "private", 0)),
    ),
    (Reason.FOREIGN_CAUSE, lambda scene: scene.accepted(cause=None)),
    (Reason.BACK_DATED, lambda scene: scene.accepted(time="1999-01-01T00:00:00.000000Z")),
    (Reason.EQUIVOCATION, lambda scene: scene.accepted(previous=HEX)),
    (
        Reason.WRONG_ROLE,
        lambda scene: scene.accepted(
            type="PublicKeyIssued",
            data=PublicKeyIssued(key_id=HEX, modulus="f", obfuscator_base="f").model_dump(),
        ),
    ),
]


@pytest.mark.parametrize(("reason", "attack"), ALONE)
def test_a_wrong_envelope_is_refused(
    scene: Scene, reason: Reason, attack: Callable[[Scene], Envelope | bytes]
) -> None:
    scene.deliver(attack(scene))
    scene.expect(reason, ends_job=reason not in FORGED)


def test_a_wrong_envelope_of_an_unknown_job_ends_nothing(scene: Scene) -> None:
    scene.deliver(scene.accepted(stream="other", id=event_id("partner", "other", 0)))
    scene.expect(Reason.FOREIGN_CAUSE, ends_job=False)


def test_another_partys_envelope_is_refused_from_whoever_sends_it(scene: Scene) -> None:
    scene.deliver(scene.accepted(), sender="arbiter")
    scene.expect(Reason.OTHER_SENDER, ends_job=False)


def test_a_stranger_is_refused(scene: Scene, tmp_path: Path) -> None:
    strangers = make_federation(tmp_path / "elsewhere", "bank", "watcher")
    stranger = strangers["watcher"]
    envelope = scene.accepted(source="watcher", id=event_id("watcher", JOB, 0))
    scene.deliver(envelope.signed_with(stranger.identity.signing), sender="watcher")
    scene.expect(Reason.UNKNOWN_ISSUER, ends_job=False)
    for party in strangers.values():
        party.close()


def test_a_party_with_another_key_than_trusted_is_refused(scene: Scene, tmp_path: Path) -> None:
    impostors = make_federation(tmp_path / "elsewhere", "partner")
    scene.deliver(scene.accepted().signed_with(impostors["partner"].identity.signing))
    scene.expect(Reason.FALSE_SIGNATURE, ends_job=False)
    impostors["partner"].close()


def test_a_second_event_in_the_same_place_is_equivocation(scene: Scene) -> None:
    scene.deliver(scene.accepted())
    scene.deliver(scene.accepted(time="2999-01-02T00:00:00.000000Z"))
    assert reasons(scene.bank.party) == {str(Reason.EQUIVOCATION): 1}
    assert scene.count(TrainingAccepted) == 1


def followed_by(scene: Scene, first: Envelope, **changes: Any) -> Envelope:
    """The partner's second event, as right as the first one but for the changes."""
    failed = TrainingFailed(code="data", detail="-").model_dump(mode="json")
    values = {
        "type": "TrainingFailed",
        "schemaversion": 2,
        "data": failed,
        "sequence": 1,
        "id": event_id("partner", JOB, 1),
        "previous": digest_of(first.canonical_bytes()),
        "cause": scene.request.envelope.id,
    }
    return scene.accepted(**(values | changes))


def test_an_event_before_the_one_that_it_follows_is_back_dated(scene: Scene) -> None:
    """Given a second event with a time after its cause and before the first, it is refused."""
    first = scene.accepted()
    scene.deliver(first)
    between = scene.request.envelope.time
    assert between < first.time
    scene.deliver(followed_by(scene, first, time=between))
    assert reasons(scene.bank.party) == {str(Reason.BACK_DATED): 1}
    assert (scene.count(TrainingFailed), scene.count(MessageRefused)) == (0, 1)


def test_an_event_caused_by_another_jobs_is_refused(scene: Scene) -> None:
    """Given two jobs between the same parties, then what belongs to one follows from its own."""
    other = request(scene.bank.party, job="job-2").envelope
    scene.deliver(scene.accepted(cause=other.id))
    assert reasons(scene.bank.party) == {str(Reason.FOREIGN_CAUSE): 1}
    assert scene.count(TrainingAccepted) == 0


def test_an_event_moved_to_another_job_is_refused(scene: Scene) -> None:
    """Given a genuine event, then it cannot be played into another job, whatever is changed."""
    request(scene.bank.party, job="job-2")
    genuine = scene.accepted()
    for moved in (
        genuine.model_copy(update={"stream": "job-2"}),
        genuine.model_copy(update={"stream": "job-2", "id": event_id("partner", "job-2", 0)}),
    ):
        scene.deliver(moved)
    assert reasons(scene.bank.party) == {
        str(Reason.FALSE_IDENTITY): 1,
        str(Reason.FALSE_SIGNATURE): 1,
    }


def test_two_held_events_in_the_same_place_are_equivocation(scene: Scene) -> None:
    for time in ("2999-01-01T00:00:00.000000Z", "2999-01-02T00:00:00.000000Z"):
        gap = scene.accepted(sequence=1, id=event_id("partner", JOB, 1), previous=HEX, time=time)
        scene.deliver(gap)
    scene.expect(Reason.EQUIVOCATION)


def test_a_replayed_envelope_changes_nothing(scene: Scene) -> None:
    for _ in range(3):
        scene.deliver(scene.accepted())
    assert not reasons(scene.bank.party)
    assert scene.bank.party.log.head() == 2


def test_an_event_after_a_gap_waits_for_the_one_before(scene: Scene) -> None:
    first = scene.accepted()
    failed = TrainingFailed(code="data", detail="-").model_dump(mode="json")
    second = scene.accepted(
        type="TrainingFailed",
        data=failed,
        sequence=1,
        id=event_id("partner", JOB, 1),
        previous=digest_of(first.canonical_bytes()),
    )
    scene.deliver(second)
    assert scene.bank.party.log.head() == 1
    scene.deliver(first)
    assert scene.bank.party.log.head() == 3
    assert not reasons(scene.bank.party)


def test_an_event_held_that_turns_out_wrong_is_refused_when_its_time_comes(scene: Scene) -> None:
    second = scene.accepted(sequence=1, id=event_id("partner", JOB, 1), previous=HEX)
    scene.deliver(second)
    scene.deliver(scene.accepted())
    assert reasons(scene.bank.party) == {str(Reason.EQUIVOCATION): 1}
    assert scene.bank.party.log.held_streams() == []
    assert (scene.count(TrainingAccepted), scene.count(MessageRefused)) == (1, 1)


def test_a_sender_cannot_fill_the_log_with_waiting_events(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MAXIMUM_HELD", 2)
    for number in (5, 6, 7, 7, 6):
        gap = scene.accepted(sequence=number, id=event_id("partner", JOB, number), previous=HEX)
        scene.deliver(gap)
    assert reasons(scene.bank.party) == {str(Reason.TOO_MANY_HELD): 2}


def test_who_is_no_member_says_nothing_in_a_job(tmp_path: Path) -> None:
    parties = make_federation(tmp_path, *MEMBERS, "watcher")
    broker = MemoryBroker()
    scene = Scene(parties, broker, Node(parties["bank"], broker), request(parties["bank"]))
    failed = TrainingFailed(code="data", detail="-").model_dump(mode="json")
    place = event_id("watcher", JOB, 0)
    envelope = scene.accepted(source="watcher", id=place, type="TrainingFailed", data=failed)
    scene.deliver(envelope.signed_with(parties["watcher"].identity.signing), sender="watcher")
    scene.expect(Reason.NOT_A_MEMBER, ends_job=False)
    for party in parties.values():
        party.close()


# Requests


def asked(parties: Mapping[str, Party], *names: str, receiver: str = "partner") -> dict[str, int]:
    """Why `receiver` refuses the bank's request for a job among these members."""
    broker = MemoryBroker()
    sender, node = Node(parties["bank"], broker), Node(parties[receiver], broker)
    request(parties["bank"], terms(*names))
    sender.publish()
    node.receive(5)
    return reasons(node.party)


def test_a_request_among_trusted_members_is_taken_in(parties: dict[str, Party]) -> None:
    assert asked(parties, *MEMBERS) == {}


def test_a_request_with_a_member_nobody_knows_is_refused(tmp_path: Path) -> None:
    parties = make_federation(tmp_path, *MEMBERS, "watcher")
    (parties["partner"].folder.trusted / "watcher.json").unlink()
    assert asked(parties, *MEMBERS, "watcher") == {str(Reason.UNTRUSTED_MEMBER): 1}
    for party in parties.values():
        party.close()


def test_a_request_that_does_not_invite_this_party_is_refused(tmp_path: Path) -> None:
    parties = make_federation(tmp_path, *MEMBERS, "watcher")
    broker = MemoryBroker()
    node = Node(parties["watcher"], broker)
    envelope = request(parties["bank"]).envelope
    broker.accept(Parcel("bank", "watcher", "envelope", {}, envelope.canonical_bytes()))
    node.receive(2)
    assert reasons(node.party) == {str(Reason.NOT_INVITED): 1}
    for party in parties.values():
        party.close()


def test_the_same_job_cannot_be_requested_twice(scene: Scene) -> None:
    partner = Node(scene.partner, scene.broker)
    scene.bank.publish()
    scene.broker.endpoint("arbiter")
    partner.receive(5)
    request(scene.bank.party)
    scene.bank.publish()
    partner.receive(5)
    assert reasons(scene.partner) == {str(Reason.JOB_TAKEN): 1}


# Payloads


@dataclass
class Post:
    """IdentifiersPosted of the partner, sealed to the bank, in parcels that can be changed."""

    envelope: Envelope
    headers: dict[str, str | int]
    chunks: list[Parcel]


def post(scene: Scene, readers: tuple[str, ...] = ("bank",), lie: bytes | None = None) -> Post:
    content = b"h" * 64
    event = IdentifiersPosted(customers=4)
    payload = blob("handles", content, readers=readers)
    envelope = say(scene.partner, event, payload, cause=scene.request.envelope.id).envelope
    source = scene.partner.payloads.salted_file(envelope.payloads[0].commitment)
    if lie is not None:
        source = scene.partner.folder.path / "lie"
        source.write_bytes(lie)
    key = scene.bank.party.card.sealing_key
    sealed = seal(source, scene.partner.folder.spool / "test", [key])
    headers = envelope_headers(envelope, {"handles": SealedPayload.of(sealed)})
    chunks = list(chunk_parcels("partner", "bank", envelope.id, sealed))
    return Post(envelope, dict(headers), chunks)


def send(scene: Scene, sent: Post) -> None:
    for chunk in sent.chunks:
        scene.broker.accept(chunk)
    scene.deliver(sent.envelope, sent.headers)


def with_body(parcel: Parcel, body: bytes) -> Parcel:
    return Parcel(parcel.sender, parcel.recipient, parcel.kind, parcel.headers, body)


def test_a_whole_payload_is_taken_in(scene: Scene) -> None:
    sent = post(scene)
    send(scene, sent)
    commitment = sent.envelope.payloads[0].commitment
    assert scene.bank.party.payloads.read(commitment) == b"h" * 64


def test_a_tampered_chunk_is_refused_and_ends_nothing(scene: Scene) -> None:
    """Who changed the sealed bytes is not known: they are asked for again."""
    sent = post(scene)
    body = bytearray(sent.chunks[0].body)
    body[-1] ^= 1
    sent.chunks[0] = with_body(sent.chunks[0], bytes(body))
    send(scene, sent)
    scene.expect(Reason.OTHER_SEALED_BYTES, ends_job=False)


def test_a_truncated_payload_is_refused_and_ends_nothing(scene: Scene) -> None:
    sent = post(scene)
    sent.chunks[0] = with_body(sent.chunks[0], sent.chunks[0].body[:-20])
    send(scene, sent)
    scene.expect(Reason.OTHER_SEALED_BYTES, ends_job=False)


def test_after_a_tampered_chunk_the_true_one_still_gets_in(scene: Scene) -> None:
    sent = post(scene)
    scene.broker.accept(with_body(sent.chunks[0], b"rubbish"))
    scene.deliver(sent.envelope, sent.headers)
    scene.expect(Reason.OTHER_SEALED_BYTES, ends_job=False)
    send(scene, sent)
    assert scene.count(IdentifiersPosted) == 1


@pytest.mark.parametrize("content", [b"s" * 32 + b"x" * 64, b"s" * 32 + b"x" * 63, b"", b"short"])
def test_another_content_than_committed_to_is_refused(scene: Scene, content: bytes) -> None:
    send(scene, post(scene, lie=content))
    scene.expect(Reason.OTHER_CONTENT)


def test_a_payload_sealed_to_somebody_else_is_refused(scene: Scene) -> None:
    arbiter: PartyCard = scene.parties["arbiter"].card
    sent = post(scene)
    source = scene.partner.payloads.salted_file(sent.envelope.payloads[0].commitment)
    sealed = seal(source, scene.partner.folder.spool / "other", [arbiter.sealing_key])
    sent.headers |= envelope_headers(sent.envelope, {"handles": SealedPayload.of(sealed)})
    sent.chunks = list(chunk_parcels("partner", "bank", sent.envelope.id, sealed))
    send(scene, sent)
    scene.expect(Reason.NOT_SEALED_TO_US)


@pytest.mark.parametrize("headers", [{}, {"payload-0": "x 1 1"}, {"payload-0": f"{HEX} 1 0"}])
def test_an_envelope_without_the_way_to_its_payload_is_refused(
    scene: Scene, headers: dict[str, str | int]
) -> None:
    scene.deliver(post(scene).envelope, headers)
    scene.expect(Reason.NO_TRANSPORT)


def test_a_payload_for_the_wrong_readers_is_refused(scene: Scene) -> None:
    send(scene, post(scene, readers=("arbiter", "bank")))
    scene.expect(Reason.WRONG_READERS)


def test_an_envelope_waits_for_its_payload(scene: Scene) -> None:
    sent = post(scene)
    scene.deliver(sent.envelope, sent.headers)
    assert scene.bank.party.log.head() == 1
    scene.broker.accept(sent.chunks[0])
    scene.bank.receive(2)
    assert scene.bank.party.log.head() == 2


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"event": HEX, "sealed": "x", "chunk": 0, "chunks": 1},
        {"event": HEX, "sealed": HEX, "chunk": 1, "chunks": 1},
        {"event": HEX, "sealed": HEX, "chunk": 0, "chunks": 10**9},
        {"event": "../../x", "sealed": HEX, "chunk": 0, "chunks": 1},
    ],
)
def test_a_chunk_that_belongs_nowhere_is_refused(
    scene: Scene, headers: dict[str, str | int]
) -> None:
    scene.broker.accept(Parcel("partner", "bank", "chunk", headers, b"x"))
    scene.bank.receive(2)
    scene.expect(Reason.BAD_CHUNK, ends_job=False)


def test_a_strangers_chunk_is_refused(scene: Scene) -> None:
    headers: dict[str, str | int] = {"event": HEX, "sealed": HEX, "chunk": 0, "chunks": 1}
    scene.broker.accept(Parcel("watcher", "bank", "chunk", headers, b"x"))
    scene.bank.receive(2)
    scene.expect(Reason.UNKNOWN_ISSUER, ends_job=False)


def test_a_refusal_says_nothing_of_the_message(scene: Scene) -> None:
    secret = "customer 4711"
    body = json.loads(scene.accepted().canonical_bytes())
    body["data"] = {secret: secret}
    envelope = Envelope.model_validate_json(rfc8785.dumps(body))
    scene.deliver(envelope.signed_with(scene.partner.identity.signing))
    told = [str(refusal) for refusal in scene.bank.party.log.refusals()]
    assert told
    assert not any("4711" in line for line in told)


def test_the_order_of_arrival_does_not_matter_for_a_cause(scene: Scene) -> None:
    prepared = FeaturesPrepared(variables=1, columns=1)
    first = say(scene.partner, ACCEPTED, cause=scene.request.envelope.id)
    second = say(scene.partner, prepared, cause=first.envelope.id)
    scene.deliver(second.envelope)
    scene.deliver(first.envelope)
    assert scene.bank.party.log.head() == 3
