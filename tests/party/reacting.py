"""A reactor alone: what it reacts to, and what its log says then."""

from events.catalogue import Fact
from events.event import Event
from events.lifecycle import TrainingRequested
from events.preparation import DataPrepared, FeaturesPrepared
from events.vocabulary import Role
from handlers.drafts import Decision, blob, draft
from handlers.history import History
from handlers.own import Own
from party.opening import Party
from party.reactor import Reactor
from tests.party.federation import (
    JOB,
)


def receive(party: Party, fact: Fact[Event]) -> None:
    """As if the link had taken it in."""
    with party.log.transaction() as transaction:
        transaction.append(fact.envelope, fact.envelope.canonical_bytes())


def react(pump: Reactor) -> None:
    while pump.step_once():
        pass


def types(party: Party) -> list[str]:
    return [entry.envelope.type for entry in party.log.read()]


def prepare(role: Role, history: History, fact: Fact[Event], own: Own) -> Decision:
    """A private event with payloads, and a shared one that follows from it."""
    match fact.event:
        case TrainingRequested():
            event = DataPrepared(job=JOB, variables=1, columns=2)
            kept = own.generator(JOB, "kept").bytes(20_000)  # more than small: it gets a file
            blobs = blob("bins", kept), blob("codes", b"\0"), blob("start", b"")
            return [draft(event, JOB, history.terms, *blobs, blob("notes", b"[]"))]
        case DataPrepared():
            return [draft(FeaturesPrepared(variables=1, columns=2), JOB, history.terms)]
    return []
