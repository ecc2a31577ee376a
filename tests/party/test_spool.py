"""Chunks on the disk: a sender has so much room and no more, and gets it back (requirements D2)."""

import hashlib
from pathlib import Path

import pytest

from bus.memory import MemoryBroker
from events.lifecycle import MessageRefused
from events.preparation import IdentifiersPosted
from handlers.drafts import blob
from party import spool
from party.errors import Reason, RefusalError
from party.jobs import job_history
from party.opening import Party
from party.spool import ReceivedChunks
from party.transport import ChunkPlace, SealedPayload
from tests.party.federation import HEX, JOB, Node, reasons, request, say


def place(name: str, index: int = 0, count: int = 3) -> ChunkPlace:
    return ChunkPlace(HEX, hashlib.sha256(name.encode()).hexdigest(), index, count)


@pytest.fixture
def chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReceivedChunks:
    """Room for ten bytes a sender, in at most three payloads."""
    monkeypatch.setattr(spool, "MAXIMUM_BYTES", 10)
    monkeypatch.setattr(spool, "MAXIMUM_UNFINISHED", 3)
    return ReceivedChunks(tmp_path)


def refuses(chunks: ReceivedChunks, sender: str, where: ChunkPlace, body: bytes) -> bool:
    try:
        chunks.keep(sender, where, body)
    except RefusalError as refusal:
        return refusal.reason is Reason.SPOOL_FULL
    return False


def test_a_sender_has_so_many_bytes_and_no_more(chunks: ReceivedChunks) -> None:
    chunks.keep("partner", place("one"), b"12345")
    chunks.keep("partner", place("one", 1), b"12345")
    assert refuses(chunks, "partner", place("one", 2), b"6")
    assert not refuses(chunks, "arbiter", place("one"), b"1234567890")


def test_the_same_chunk_again_takes_no_more_room(chunks: ReceivedChunks) -> None:
    for _ in range(3):
        chunks.keep("partner", place("one"), b"1234567890")
    assert refuses(chunks, "partner", place("two"), b"1")


def test_what_is_done_with_gives_its_room_back(chunks: ReceivedChunks) -> None:
    chunks.keep("partner", place("one"), b"1234567890")
    chunks.discard("partner", place("one").digest)
    chunks.discard("partner", place("never came").digest)
    chunks.keep("partner", place("two"), b"1234567890")
    assert refuses(chunks, "partner", place("three"), b"1")


def test_a_restart_forgets_no_byte(chunks: ReceivedChunks, tmp_path: Path) -> None:
    chunks.keep("partner", place("one"), b"1234567890")
    assert refuses(ReceivedChunks(tmp_path), "partner", place("two"), b"1")


def test_a_sender_has_so_many_payloads_and_no_more(chunks: ReceivedChunks) -> None:
    for name in ("one", "two", "three"):
        chunks.keep("partner", place(name), b"1")
    assert refuses(chunks, "partner", place("four"), b"1")
    assert not refuses(chunks, "partner", place("three", 1), b"1")


def test_what_there_is_room_for_is_known_beforehand(chunks: ReceivedChunks) -> None:
    chunks.keep("partner", place("one"), b"123456")
    assert chunks.has_room("partner", SealedPayload(place("one").digest, 10, 3))
    assert not chunks.has_room("partner", SealedPayload(place("one").digest, 11, 3))
    assert not chunks.has_room("partner", SealedPayload(place("two").digest, 5, 1))


@pytest.mark.usefixtures("only_chunks")
def test_a_payload_that_is_too_large_ends_the_job_by_name(
    parties: dict[str, Party], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given chunks that were refused, then their event does not wait for them for ever."""
    monkeypatch.setattr(spool, "MAXIMUM_BYTES", 1000)
    broker = MemoryBroker()
    bank, partner = Node(parties["bank"], broker), Node(parties["partner"], broker)
    asked = request(bank.party)
    handles = blob("handles", b"h" * 2000)
    say(partner.party, IdentifiersPosted(customers=1), handles, cause=asked.envelope.id)
    partner.publish()
    bank.receive(5)
    assert reasons(bank.party) == {str(Reason.SPOOL_FULL): 2}
    refused = job_history(bank.party.log, JOB).one(MessageRefused).event
    assert (refused.sender, refused.reason) == ("partner", str(Reason.SPOOL_FULL))


def test_chunks_of_a_refused_event_are_let_go(parties: dict[str, Party]) -> None:
    broker = MemoryBroker()
    bank, partner = Node(parties["bank"], broker), Node(parties["partner"], broker)
    asked = request(bank.party)
    handles = blob("handles", b"h" * 2000, readers=("arbiter", "bank"))
    say(partner.party, IdentifiersPosted(customers=1), handles, cause=asked.envelope.id)
    partner.publish()
    bank.receive(5)
    assert reasons(bank.party) == {str(Reason.WRONG_READERS): 1}
    assert list((bank.party.folder.spool / "received").glob("*/*")) == []
