"""Payloads that must not be believed: changed, cut, of other content, sealed to somebody else."""

from dataclasses import dataclass

import pytest

from bus.parcel import Parcel
from events.card import PartyCard
from events.envelope import Envelope
from events.preparation import IdentifiersPosted
from handlers.drafts import blob
from party.errors import Reason
from party.sealing import seal
from party.transport import SealedPayload, chunk_parcels, envelope_headers
from tests.party.attack import Scene
from tests.party.federation import HEX, say


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
