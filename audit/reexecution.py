"""Running a party's handlers again over its log: the same events to the bit, or where they differ.

What came from outside enters as it stands in the log: requests and cancellations of an operator,
the data as it was read, key pairs, timers, faults of the machine. Everything else is decided again
and compared: type, body, recipients and the commitment of every payload, which covers its content
and its salt. Of a job that is over or trained, nothing may be missing at the end either; while a
job is under way, the last reactions may simply not have happened yet.
"""

import hashlib
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from events.catalogue import CATALOGUE, Fact
from events.envelope import PayloadReference
from events.event import Event
from events.identifying import (
    CustomersIdentified,
    CustomersScored,
    IdentificationRejected,
    ModelRecalled,
)
from events.intersection import IntersectionsCounted
from events.lifecycle import DeadlinePassed, MessageRefused, TrainingStopped, WorkFailed
from events.models import (
    ConsentRevoked,
    ModelActivated,
    ModelConverted,
    ModelRetired,
    ModelSaved,
)
from events.opening import Ending, Opening
from events.predictions import PartialScoreReturned, PredictionCompleted, PredictionRejected
from events.preparation import DataSnapshotted, KeyPairGenerated
from events.pruning import PayloadsPruned
from events.vocabulary import PRIVATE_STREAM
from events.witness import CheckpointPosted
from handlers.drafts import Draft, Work
from handlers.history import History
from handlers.own import Own, payload_salt
from handlers.reactions import decide
from store.entry import Entry

OUTCOMES: Mapping[str, tuple[type[Event], ...]] = {
    "snapshot": (DataSnapshotted,),
    "key": (KeyPairGenerated,),
    "convert": (ModelConverted,),
    "intersections": (IntersectionsCounted,),
    "score": (PartialScoreReturned, PredictionRejected),
    "identify": (CustomersScored, IdentificationRejected),
    "recall": (ModelRecalled, IdentificationRejected),
}
# What an operator or a timer says, and what is noted about a message. Of a checkpoint the root is
# checked against the log itself, by `verify`.
FROM_OUTSIDE = (
    Opening,
    DeadlinePassed,
    MessageRefused,
    ModelConverted,
    ModelActivated,
    ModelRetired,
    ConsentRevoked,
    CheckpointPosted,
    PayloadsPruned,
)
AFTER_THE_ROUNDS = (
    TrainingStopped,
    ModelSaved,
    PartialScoreReturned,
    PredictionCompleted,
    CustomersIdentified,
)
NOTHING_LEADS_HERE = "nothing in the log leads to this event"


@dataclass(frozen=True)
class Divergence:
    """The first thing in a stream that the handlers, run again, do not say.

    Of a missing event, `position` is that of the event it should have followed from.
    """

    position: int
    type: str
    stream: str
    detail: str


@dataclass(frozen=True)
class Reexecution:
    """How many own events were decided again, what was believed from outside, what differs.

    `from_outside` counts by type, for people to judge: nothing in the log can prove that an
    operator did not cancel a job, or that a machine did not fail.
    """

    repeated: int
    from_outside: Mapping[str, int]
    divergences: tuple[Divergence, ...]

    @property
    def holds(self) -> bool:
        return not self.divergences


def reexecute(entries: Iterable[Entry], own: Own) -> Reexecution:
    """Decide everything again that `own` decided in these entries, in their order.

    The entries are a whole log of a party whose pumps have come to rest.
    """
    jobs: dict[str, _Job] = {}
    for entry in entries:
        fact = CATALOGUE.read(entry.envelope)
        jobs.setdefault(fact.job, _Job(fact.job, own)).take(entry.position, fact)
    return Reexecution(
        repeated=sum(job.repeated for job in jobs.values()),
        from_outside=dict(sum((job.from_outside for job in jobs.values()), Counter())),
        divergences=tuple(found for job in jobs.values() for found in job.all_divergences()),
    )


@dataclass(frozen=True)
class _Fault:
    """The handlers raised something that is no JobError: only the stream's ending can follow."""


@dataclass(frozen=True)
class _Expected:
    """What has to come next in a stream, because of the entry at this position."""

    because_of: int
    item: Draft | Work | _Fault

    @property
    def type(self) -> str:
        match self.item:
            case Draft(event=event):
                return event.type_name()
            case Work(kind=kind):
                return OUTCOMES[kind][0].type_name()
        return Ending.type_name()


class _Job:
    """One job, decided again entry by entry."""

    def __init__(self, job: str, own: Own) -> None:
        self._own = own
        self._history = History(job)
        self._expected: dict[str, deque[_Expected]] = defaultdict(deque)
        self._divergences: dict[str, Divergence] = {}
        self.repeated = 0
        self.from_outside: Counter[str] = Counter()

    def take(self, position: int, fact: Fact[Event]) -> None:
        if fact.source == self._own.name:
            stream = fact.envelope.stream
            detail = self._compare(fact, self._expected[stream])
            if detail and stream not in self._divergences:
                self._divergences[stream] = self._divergence(
                    position, fact.envelope.type, stream, detail
                )
        self._history.add(fact)
        for item in self._decide(fact):
            stream = self._history.job if isinstance(item, _Fault) else PRIVATE_STREAM
            stream = item.stream if isinstance(item, Draft) else stream
            self._expected[stream].append(_Expected(position, item))

    def all_divergences(self) -> list[Divergence]:
        """Found on the way, or else what is missing at the end of a job that has one."""
        ended = self._history.is_over or any(self._history.has(kind) for kind in AFTER_THE_ROUNDS)
        if self._divergences or not ended:
            return list(self._divergences.values())
        return [
            self._divergence(left[0].because_of, left[0].type, stream, f"{left[0].type} is missing")
            for stream, left in self._expected.items()
            if left
        ]

    def _divergence(self, position: int, kind: str, stream: str, detail: str) -> Divergence:
        return Divergence(position, kind, f"{self._history.job}/{stream}", detail)

    def _decide(self, fact: Fact[Event]) -> list[Draft | Work | _Fault]:
        history = self._history
        role = history.agreement.role_of(self._own.name) if history.is_known else None
        if role is None:
            return []
        try:
            return list(decide(role, history, fact, self._own))
        except Exception:  # noqa: BLE001 - whatever it was ended the job, as it did before
            return [_Fault()]

    def _compare(self, fact: Fact[Event], waiting: deque[_Expected]) -> str:
        """In plain words; empty when the event is what was decided again, or is believed."""
        event = fact.event
        decided = bool(waiting) and waiting[0].item
        if isinstance(decided, Draft) and decided.event == event:
            pass
        elif isinstance(event, Ending) and event.code == "internal":
            self._forget_what_failed()
            return self._believe(event)
        elif self._is_outcome(event):
            self._expected[PRIVATE_STREAM].popleft()
            return self._believe(event)
        elif _is_from_outside(event) or (event.PRIVATE and not self._history.is_known):
            return self._believe(event)
        self.repeated += 1
        return _difference(fact, waiting.popleft(), self._own) if waiting else NOTHING_LEADS_HERE

    def _is_outcome(self, event: Event) -> bool:
        """Whether the event is what came of the work that is expected next."""
        waiting = self._expected[PRIVATE_STREAM]
        if not waiting or not isinstance(waiting[0].item, Work):
            return False
        kind = waiting[0].item.kind
        return isinstance(event, OUTCOMES[kind]) or (
            isinstance(event, WorkFailed) and event.work == kind
        )

    def _believe(self, event: Event) -> str:
        self.from_outside[event.type_name()] += 1
        return ""

    def _forget_what_failed(self) -> None:
        """A fault took the place of everything that one reaction, the oldest open one, decided."""
        oldest = min((left[0].because_of for left in self._expected.values() if left), default=None)
        for left in self._expected.values():
            while left and left[0].because_of == oldest:
                left.popleft()


def _is_from_outside(event: Event) -> bool:
    cancelled = isinstance(event, Ending) and event.code == "cancelled"
    return cancelled or isinstance(event, FROM_OUTSIDE)


def _difference(fact: Fact[Event], expected: _Expected, own: Own) -> str:
    draft = expected.item
    if isinstance(draft, _Fault):
        return "the handlers, run again, fail here"
    if isinstance(draft, Work) or expected.type != fact.envelope.type:
        return f"the handlers say {expected.type} here"
    return difference(fact, draft, own)


def difference(fact: Fact[Event], draft: Draft, own: Own) -> str:
    """How an event differs from a draft of the same type; empty when it does not, to the bit."""
    if draft.event != fact.event:
        return f"the body differs in {', '.join(_different_fields(draft.event, fact.event))}"
    references = {
        payload.name: _reference(draft, place, own) for place, payload in enumerate(draft.payloads)
    }
    for told in fact.envelope.payloads:
        if references.pop(told.name, None) != told:
            return f"the payload {told.name} differs"
    return f"the payload {next(iter(references))} is missing" if references else ""


def _different_fields(one: Event, other: Event) -> list[str]:
    """Names only: what stands in them may be private."""
    said, told = one.model_dump(), other.model_dump()
    return sorted(name for name in said if said[name] != told[name])


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
