"""Parties witness each other's logs: roots go round when a job has ended, and are compared (D4)."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bus.memory import MemoryBroker
from events.catalogue import CATALOGUE, Fact
from events.checkpoint import Checkpoint, SignedCheckpoint
from events.event import Event
from events.merkle import MerkleTree, extends
from events.witness import CheckpointDisputed, CheckpointPosted
from handlers.drafts import Draft, draft
from handlers.history import History
from handlers.reactions import decide
from handlers.witness import has_ended
from party.appending import Causes, StoredDraft, append_draft
from party.checkpointing import CheckpointKeeper
from party.errors import RequestError
from party.jobs import job_history
from party.opening import Party
from party.requesting import cancel_training
from tests.party.federation import JOB, Node, make_federation, request, run


@pytest.fixture
def parties(tmp_path: Path) -> Iterator[dict[str, Party]]:
    made = make_federation(tmp_path)
    yield made
    for party in made.values():
        party.close()


def checkpoints(party: Party, source: str) -> list[CheckpointPosted]:
    found = job_history(party.log, JOB).of(CheckpointPosted, source=source)
    return [fact.event for fact in found]


def cancelled(parties: dict[str, Party]) -> list[Node]:
    """A job that was called off, known to everybody."""
    broker = MemoryBroker()
    nodes = [Node(party, broker) for party in parties.values()]
    request(parties["bank"])
    run(*nodes)
    cancel_training(parties["bank"], JOB)
    run(*nodes)
    return nodes


def test_at_the_end_of_a_job_every_member_gets_the_root_of_every_log(
    parties: dict[str, Party],
) -> None:
    nodes = cancelled(parties)
    for party in parties.values():
        assert has_ended(job_history(party.log, JOB), party.name)
        CheckpointKeeper(party).step(0)
    run(*nodes)
    for holder in parties.values():
        for party in parties.values():
            (posted,) = checkpoints(holder, party.name)
            tree = MerkleTree(entry.canonical for entry in party.log.read(limit=posted.size))
            assert posted.root == tree.root().hex()


def test_the_signature_is_that_of_a_note_that_other_tools_read(parties: dict[str, Party]) -> None:
    cancelled(parties)
    CheckpointKeeper(parties["bank"]).step(0)
    (posted,) = checkpoints(parties["bank"], "bank")
    signed = SignedCheckpoint(
        Checkpoint(posted.origin, posted.size, bytes.fromhex(posted.root)),
        base64.b64decode(posted.signature),
    )
    assert signed.is_signed_by(parties["bank"].card)


def test_nothing_is_posted_twice_and_a_later_event_is_covered_by_the_next(
    parties: dict[str, Party],
) -> None:
    nodes = cancelled(parties)
    keeper = CheckpointKeeper(parties["bank"])
    keeper.step(0)
    keeper.step(0)
    CheckpointKeeper(parties["bank"]).step(0)
    assert len(checkpoints(parties["bank"], "bank")) == 1
    cancel_late(parties["partner"])
    run(*nodes)
    keeper.step(0)
    first, second = checkpoints(parties["bank"], "bank")
    assert second.since == first.size
    assert extends(
        first.size,
        bytes.fromhex(first.root),
        second.size,
        bytes.fromhex(second.root),
        [bytes.fromhex(one) for one in second.consistency],
    )


def cancel_late(party: Party) -> None:
    """One more failure, as a member that saw its own reason would say."""
    failed = job_history(party.log, JOB).of(CATALOGUE.types["TrainingFailed"])[0]
    say(party, failed.event)


def say(party: Party, event: Event) -> Fact[Event]:
    history = job_history(party.log, JOB)
    stored = StoredDraft(draft(event, JOB, history.terms), ())
    newest = [one for one in party.log.job(JOB) if not one.envelope.is_private][-1].envelope
    with party.log.transaction() as transaction:
        causes = Causes(shared=newest.id, not_before=newest.time)
        return append_draft(transaction, party, stored, causes, history.terms)


def test_a_job_under_way_gets_one_at_intervals(parties: dict[str, Party]) -> None:
    request(parties["bank"])
    keeper, now = CheckpointKeeper(parties["bank"]), datetime.now(UTC)
    keeper.step(0, now)
    assert checkpoints(parties["bank"], "bank") == []
    keeper.step(0, now + timedelta(minutes=61))
    assert len(checkpoints(parties["bank"], "bank")) == 1
    keeper.step(0, now + timedelta(minutes=200))
    assert len(checkpoints(parties["bank"], "bank")) == 1


def test_there_is_none_for_a_job_that_never_was(parties: dict[str, Party]) -> None:
    with pytest.raises(RequestError, match="no job winter"):
        CheckpointKeeper(parties["bank"]).post("winter")


def disputes(parties: dict[str, Party], **changes: Any) -> str:
    """What the partner says about the bank's newest checkpoint, were it changed like this."""
    partner = parties["partner"]
    history = job_history(partner.log, JOB)
    fact = history.of(CheckpointPosted, source="bank")[-1]
    others = [
        CATALOGUE.read(entry.envelope)
        for entry in partner.log.job(JOB)
        if entry.envelope.id != fact.envelope.id
    ]
    changed = Fact(fact.envelope, fact.event.model_copy(update=changes))
    history = History(JOB, [*others, changed])
    decision = decide(partner.role, history, changed, partner.own)
    said = [item.event for item in decision if isinstance(item, Draft)]
    assert all(isinstance(event, CheckpointDisputed) for event in said)
    return " ".join(str(event.model_dump()["detail"]) for event in said)


def test_a_checkpoint_that_contradicts_what_a_member_holds_is_disputed(
    parties: dict[str, Party],
) -> None:
    nodes = cancelled(parties)
    keeper = CheckpointKeeper(parties["bank"])
    keeper.step(0)
    cancel_late(parties["partner"])
    run(*nodes)
    keeper.step(0)
    run(*nodes)
    first, second = checkpoints(parties["partner"], "bank")
    assert disputes(parties) == ""
    assert "known here" in disputes(parties, since=first.size - 1)
    assert f"own checkpoint of {first.size}" in disputes(parties, root="0" * 64)
    assert f"own checkpoint of {first.size}" in disputes(parties, consistency=())
    forked = tuple(
        head.model_copy(update={"digest": "0" * 64}) if head.source == "arbiter" else head
        for head in second.heads
    )
    assert disputes(parties, heads=forked).startswith("bank has another event")


def test_what_has_not_arrived_yet_contradicts_nothing(parties: dict[str, Party]) -> None:
    nodes = cancelled(parties)
    CheckpointKeeper(parties["bank"]).step(0)
    run(*nodes)
    (posted,) = checkpoints(parties["partner"], "bank")
    ahead = tuple(head.model_copy(update={"sequence": 99}) for head in posted.heads)
    assert disputes(parties, heads=ahead) == ""
