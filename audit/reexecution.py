"""Running a party's handlers again over its log: the same events to the bit, or where they differ.

What came from outside enters as it stands in the log: requests and cancellations of an operator,
the data as it was read, key pairs, timers. Everything else is decided again and compared: type,
body, recipients and the commitment of every payload, which covers its content and its salt.
"""

import hashlib
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass

from events.catalogue import CATALOGUE, Fact
from events.envelope import PayloadReference
from events.event import Event
from events.lifecycle import DeadlinePassed, TrainingFailed, TrainingRequested, WorkFailed
from events.preparation import DataSnapshotted, KeyPairGenerated
from handlers.drafts import Draft
from handlers.history import History
from handlers.own import Own, payload_salt
from handlers.reactions import decide
from store.entry import Entry

FROM_OUTSIDE = (TrainingRequested, DataSnapshotted, KeyPairGenerated, DeadlinePassed)


@dataclass(frozen=True)
class Divergence:
    """The first thing in a stream that the handlers, run again, do not say."""

    position: int
    type: str
    stream: str
    detail: str


@dataclass(frozen=True)
class Reexecution:
    """How many own events were decided again, how many came from outside, and what differs."""

    repeated: int
    from_outside: int
    divergences: tuple[Divergence, ...]

    @property
    def holds(self) -> bool:
        return not self.divergences


def reexecute(entries: Iterable[Entry], own: Own) -> Reexecution:
    """Decide everything again that `own` decided in these entries, in their order."""
    histories: dict[str, History] = {}
    expected: dict[str, deque[Draft]] = defaultdict(deque)
    divergences: dict[str, Divergence] = {}
    repeated = from_outside = 0
    for entry in entries:
        fact = CATALOGUE.read(entry.envelope)
        stream = f"{fact.job}/{entry.envelope.stream}"
        if fact.source == own.name:
            if _is_from_outside(fact):
                from_outside += 1
            elif stream not in divergences:
                repeated += 1
                detail = _difference(fact, expected[stream], own)
                if detail:
                    divergences[stream] = Divergence(
                        entry.position, entry.envelope.type, stream, detail
                    )
        history = histories.setdefault(fact.job, History(fact.job))
        history.add(fact)
        for item in _decisions(history, fact, own):
            expected[f"{fact.job}/{item.stream}"].append(item)
    return Reexecution(repeated, from_outside, tuple(divergences.values()))


def _is_from_outside(fact: Fact[Event]) -> bool:
    event = fact.event
    if isinstance(event, WorkFailed):
        return event.work != "prepare"
    if isinstance(event, TrainingFailed):
        return event.code == "cancelled"
    return isinstance(event, FROM_OUTSIDE)


def _decisions(history: History, fact: Fact[Event], own: Own) -> list[Draft]:
    role = history.terms.role_of(own.name) if history.is_known else None
    if role is None:
        return []
    return [item for item in decide(role, history, fact, own) if isinstance(item, Draft)]


def _difference(fact: Fact[Event], waiting: deque[Draft], own: Own) -> str:
    """In plain words; empty when the event is what was decided again."""
    if not waiting:
        return "nothing in the log leads to this event"
    draft = waiting.popleft()
    if draft.event.type_name() != fact.envelope.type:
        return f"the handlers say {draft.event.type_name()} here"
    if draft.event != fact.event:
        return "the body differs"
    references = tuple(_reference(draft, place, own) for place in range(len(draft.payloads)))
    for ours, theirs in zip(references, fact.envelope.payloads, strict=True):
        if ours != theirs:
            return f"the payload {theirs.name} differs"
    return ""


def _reference(draft: Draft, place: int, own: Own) -> PayloadReference:
    payload = draft.payloads[place]
    salted = payload_salt(own, draft, payload) + payload.content
    return PayloadReference(
        name=payload.name,
        kind=payload.kind,
        shape=payload.shape,
        size=len(payload.content),
        commitment=hashlib.sha256(salted).hexdigest(),
        readers=payload.readers,
    )
