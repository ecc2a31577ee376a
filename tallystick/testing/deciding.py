"""Given a history, when an event comes, then a role decides this: handlers without a federation."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from events.catalogue import Fact
from events.envelope import Envelope, PayloadReference, event_id
from events.event import Event
from events.vocabulary import PRIVATE_STREAM, Role
from handlers.drafts import Decision, Draft
from handlers.history import History
from handlers.own import Own
from handlers.policy import Policy
from handlers.reactions import decide
from paillier.keys import PrivateKey
from tallystick.testing.picture import Kind, name_of, picture

TIME = "2026-01-01T00:00:00.000000Z"
Said = tuple[str, Event]
Decide = Callable[[Role, History, Fact[Event], Own], Decision]


class PayloadsInMemory:
    """A payload store without a disk."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    def put(self, content: bytes) -> str:
        """Keep it; returns the commitment to refer to it by."""
        commitment = hashlib.sha256(b"salt" + content).hexdigest()
        self._contents[commitment] = content
        return commitment

    def read(self, commitment: str) -> bytes:
        return self._contents[commitment]

    def array(self, commitment: str, dtype: DTypeLike, shape: tuple[int, ...]) -> NDArray[Any]:
        return np.frombuffer(self._contents[commitment], dtype).reshape(shape)


@dataclass(frozen=True)
class PartyUnderTest:
    """Who decides: name, role and policy; payloads and an arbiter's key where they are needed."""

    name: str
    role: Role
    policy: Policy = field(default_factory=lambda: Policy(accept_short_keys=True))
    payloads: PayloadsInMemory = field(default_factory=PayloadsInMemory)
    key: PrivateKey | None = None

    @property
    def own(self) -> Own:
        def private_key(key_id: str) -> PrivateKey:
            if self.key is None:
                raise KeyError(key_id)
            return self.key

        return Own(
            name=self.name,
            policy=self.policy,
            secret=hashlib.sha256(self.name.encode()).digest(),
            payloads=self.payloads,
            private_key=private_key,
        )


@dataclass(frozen=True)
class Given:
    """A party and what its log says. `when` adds one more event and asks what it decides."""

    party: PartyUnderTest
    job: str
    said: tuple[Said, ...]
    decide: Decide = decide

    def when(self, source: str, event: Event, **payloads: bytes) -> "Then":
        """`source` says it; payloads are by name, with their content."""
        history = History(self.job)
        facts: list[Fact[Event]] = []
        for who, what in (*self.said, (source, event)):
            contents = payloads if what is event else {}
            fact = _fact(self.party, self.job, who, what, facts, contents)
            history.add(fact)
            facts.append(fact)
        decision = self.decide(self.party.role, history, facts[-1], self.party.own)
        return Then(tuple(facts), decision)


@dataclass(frozen=True)
class Then:
    """What was decided: drafts of events, and work by its kind."""

    facts: tuple[Fact[Event], ...]
    decision: Decision

    @property
    def names(self) -> list[str]:
        return [
            item.event.type_name() if isinstance(item, Draft) else f"work: {item.kind}"
            for item in self.decision
        ]

    def then(self, *kinds: Kind) -> "Then":
        """Exactly these events, in this order; work is written `work: key`."""
        wanted = [name_of(kind) for kind in kinds]
        if self.names != wanted:
            raise AssertionError(
                f"expected the decision {wanted or 'nothing'}, found {self.names or 'nothing'}, "
                f"given:\n{picture(self.facts, [len(self.facts)])}"
            )
        return self

    def then_nothing(self) -> "Then":
        return self.then()

    def event(self, number: int = 0) -> Any:  # noqa: ANN401 - of whatever type it is
        """The drafted event itself, to look at its fields."""
        return [item.event for item in self.decision if isinstance(item, Draft)][number]


def given(party: PartyUnderTest, *said: Said, job: str = "job", decide: Decide = decide) -> Given:
    """A party whose log says this, as (source, event), in this order."""
    return Given(party, job, said, decide)


def _fact(
    party: PartyUnderTest,
    job: str,
    source: str,
    event: Event,
    before: Sequence[Fact[Event]],
    contents: dict[str, bytes],
) -> Fact[Event]:
    """An envelope that nobody signed: handlers do not ask, they get what was admitted."""
    stream = PRIVATE_STREAM if event.PRIVATE else job
    same = [one for one in before if (one.source, one.envelope.stream) == (source, stream)]
    references = tuple(
        PayloadReference(
            name=name,
            kind=rule.kind,
            shape=(len(contents.get(name, b"")),),
            size=len(contents.get(name, b"")),
            commitment=party.payloads.put(contents.get(name, b"")),
            readers=_readers(event, before, name),
        )
        for name, rule in event.rules().items()
    )
    envelope = Envelope(
        id=event_id(source, stream, len(same)),
        type=event.type_name(),
        schemaversion=event.VERSION,
        source=source,
        stream=stream,
        sequence=len(same),
        previous=None,
        cause=before[-1].envelope.id if before else None,
        time=TIME,
        data=event.model_dump(mode="json"),
        payloads=references,
    )
    return Fact(envelope, event)


def _readers(event: Event, before: Sequence[Fact[Event]], name: str) -> tuple[str, ...]:
    """As the terms of the opening say, which is this event or stands before it."""
    for one in (event, *(fact.event for fact in before)):
        terms = getattr(one, "terms", None)
        if terms is not None:
            readers: tuple[str, ...] = terms.readers(event.rules()[name])
            return readers
    return ()
