"""A whole federation in memory: the real handlers, no store, no bus, any order of delivery.

Streams stay in order and a fact never overtakes its cause, as the receive pump guarantees; which
party goes next and which stream arrives first is drawn from a seed.
"""

import hashlib
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from events.catalogue import CATALOGUE, Fact
from events.envelope import Envelope, PayloadReference, event_id
from events.event import Event
from events.intersection import IntersectionsCounted
from events.lifecycle import WorkFailed
from events.preparation import DataSnapshotted, KeyPairGenerated
from events.terms import Agreement, Member, Optimiser, Terms
from events.versions import Versions
from events.vocabulary import Role
from handlers.agreement import version_to_write, written
from handlers.drafts import Draft, Payload, Work
from handlers.history import History
from handlers.local import training_request
from handlers.own import Own
from handlers.policy import Policy
from handlers.protocol_versions import SPOKEN
from handlers.reactions import decide
from handlers.snapshot import encode_snapshot
from learning.binning import Column, Rule
from paillier.keys import PrivateKey

MART_KEY = bytes(range(32))
TIME = "2026-01-01T00:00:00.000000Z"
OPEN_POLICY = Policy(accept_short_keys=True, leak_budget=100.0, smallest_overlap=10, smallest_bin=1)


@dataclass(frozen=True)
class Rows:
    """What a data party's source gives."""

    ids: Sequence[str]
    columns: Mapping[str, Column]
    label: NDArray[np.float64] | None = None
    rules: Mapping[str, Rule] = field(default_factory=dict)


class MemoryPayloads:
    """A payload store without a disk."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    def put(self, content: bytes) -> str:
        commitment = hashlib.sha256(b"salt" + content).hexdigest()
        self.contents[commitment] = content
        return commitment

    def read(self, commitment: str) -> bytes:
        return self.contents[commitment]

    def array(self, commitment: str, dtype: DTypeLike, shape: tuple[int, ...]) -> NDArray[Any]:
        return np.frombuffer(self.contents[commitment], dtype).reshape(shape)


def _the_key() -> bytes:
    return MART_KEY


def _no_key() -> bytes:
    raise AssertionError("only the bank and the mart's members have the key")


@dataclass
class SimulatedParty:
    name: str
    role: Role
    own: Own
    payloads: MemoryPayloads
    rows: Rows | None = None
    facts: list[Fact[Event]] = field(default_factory=list)
    arriving: dict[str, list[Fact[Event]]] = field(default_factory=lambda: defaultdict(list))
    history: History | None = None
    reacted: int = 0

    def types(self, *, private: bool = True) -> list[str]:
        return [
            fact.envelope.type for fact in self.facts if private or not fact.envelope.is_private
        ]

    def event(self, kind: type[Event], **fields: Any) -> Any:
        assert self.history is not None
        return self.history.one(kind, **fields).event

    def place_of(self, kind: type[Event], source: str) -> int:
        """Of the first such event among all that the party knows."""
        return next(
            place
            for place, fact in enumerate(self.facts)
            if type(fact.event) is kind and fact.source == source
        )


class Simulation:
    """Parties, one job, and a seed that decides who is fast and what arrives first."""

    def __init__(
        self,
        terms: Agreement,
        rows: Mapping[str, Rows],
        key: PrivateKey,
        seed: int = 0,
        policies: Mapping[str, Policy] | None = None,
        speaks: Mapping[str, Versions] | None = None,
    ) -> None:
        self.agreement, self.key, self.job = terms, key, "job-1"
        self.within_a_day = 0
        self.random = random.Random(seed)
        self.parties: dict[str, SimulatedParty] = {}
        for member in terms.members:
            payloads = MemoryPayloads()
            own = Own(
                name=member.name,
                policy=(policies or {}).get(member.name, OPEN_POLICY),
                secret=hashlib.sha256(member.name.encode()).digest(),
                payloads=payloads,
                private_key=lambda _key_id: key,
                speaks=(speaks or {}).get(member.name, SPOKEN),
                mart_key=_the_key if member.role is Role.LOCAL else _no_key,
            )
            self.parties[member.name] = SimulatedParty(
                member.name, member.role, own, payloads, rows.get(member.name)
            )

    def __getitem__(self, name: str) -> SimulatedParty:
        return self.parties[name]

    @property
    def terms(self) -> Terms:
        assert isinstance(self.agreement, Terms)
        return self.agreement

    def run(self) -> "Simulation":
        """Request the training, then let everybody react until nobody has anything to do."""
        local = self.parties[self.terms.local]
        snapshot = self._append(local, self._snapshot(local), None)
        rows = local.rows
        assert rows is not None
        request = training_request(
            self.terms, local.own, len(rows.ids), snapshot.payload("table"), self.job
        )
        self._append(local, request, None)
        self.settle()
        return self

    def settle(self) -> None:
        """Let everybody react until nobody has anything to do."""
        while busy := [party for party in self.parties.values() if self._can_move(party)]:
            self._move(self.random.choice(busy))

    def inject(self, name: str, drafted: Draft, cause: Fact[Event] | None = None) -> Fact[Event]:
        """Let a party say something that no handler decided."""
        return self._append(self.parties[name], drafted, cause)

    def _can_move(self, party: SimulatedParty) -> bool:
        return party.reacted < len(party.facts) or bool(list(self._deliverable(party)))

    def _move(self, party: SimulatedParty) -> None:
        deliverable = list(self._deliverable(party))
        if deliverable and (party.reacted >= len(party.facts) or self.random.random() < 0.5):
            stream = self.random.choice(deliverable)
            party.facts.append(party.arriving[stream].pop(0))
        elif party.reacted < len(party.facts):
            self._react(party)

    def _deliverable(self, party: SimulatedParty) -> Iterator[str]:
        known = {fact.envelope.id for fact in party.facts}
        for source, waiting in party.arriving.items():
            if waiting and (waiting[0].envelope.cause in known | {None}):
                yield source

    def _react(self, party: SimulatedParty) -> None:
        fact = party.facts[party.reacted]
        party.reacted += 1
        if party.history is None:
            party.history = History(self.job)
        party.history.add(fact)
        if not party.history.is_known:
            return
        for item in decide(party.role, party.history, fact, party.own):
            drafted = self._work(party, item) if isinstance(item, Work) else item
            self._append(party, drafted, fact)

    def _work(self, party: SimulatedParty, work: Work) -> Draft:
        if work.kind == "key":
            public = self.key.public
            return Draft(
                KeyPairGenerated(
                    job=self.job,
                    key_id=public.key_id,
                    modulus=f"{public.n:x}",
                    obfuscator_base=f"{public.hs:x}",
                ),
                self.job,
            )
        if work.kind == "intersections":
            counted = IntersectionsCounted(
                job=self.job, requester=self.terms.local, within_a_day=self.within_a_day
            )
            return Draft(counted, self.job)
        if party.rows is None:
            return Draft(WorkFailed(job=self.job, work="snapshot", detail="no data"), self.job)
        return self._snapshot(party)

    def _snapshot(self, party: SimulatedParty) -> Draft:
        rows = party.rows
        assert rows is not None
        content = b"".join(encode_snapshot(rows.ids, rows.columns, rows.label, rows.rules))
        event = DataSnapshotted(job=self.job, customers=len(rows.ids))
        table = Payload("table", "table", (len(content),), content)
        return Draft(event, self.job, (table, Payload("notes", "json", (2,), b"[]")))

    def _append(
        self, party: SimulatedParty, drafted: Draft, cause: Fact[Event] | None
    ) -> Fact[Event]:
        stream = drafted.stream
        said = [
            fact
            for fact in party.facts
            if fact.source == party.name and fact.envelope.stream == stream
        ]
        references = tuple(
            PayloadReference(
                name=payload.name,
                kind=payload.kind,
                shape=payload.shape,
                size=len(payload.content),
                commitment=party.payloads.put(payload.content),
                readers=payload.readers,
            )
            for payload in drafted.payloads
        )
        known = party.history is not None and party.history.is_known
        version = version_to_write(party.history) if party.history and known else SPOKEN.newest
        schema, body = written(drafted.event, version)
        envelope = Envelope(
            id=event_id(party.name, stream, len(said)),
            type=drafted.event.type_name(),
            schemaversion=schema,
            source=party.name,
            stream=stream,
            sequence=len(said),
            previous=None,
            cause=self._shared_cause(party, cause, private=drafted.event.PRIVATE),
            time=TIME,
            data=body,
            payloads=references,
        )
        fact = CATALOGUE.read(envelope)
        party.facts.append(fact)
        if not envelope.is_private:
            self._send(party, drafted, fact)
        return fact

    def _shared_cause(
        self, party: SimulatedParty, cause: Fact[Event] | None, *, private: bool
    ) -> str | None:
        by_id = {fact.envelope.id: fact for fact in party.facts}
        while cause is not None and cause.envelope.is_private and not private:
            cause = by_id.get(cause.envelope.cause or "")
        return None if cause is None else cause.envelope.id

    def _send(self, party: SimulatedParty, drafted: Draft, fact: Fact[Event]) -> None:
        for other in self.parties.values():
            if other is party:
                continue
            other.arriving[party.name].append(fact)
            for payload in drafted.payloads:
                if other.name in payload.readers:
                    other.payloads.put(payload.content)


def job_terms(
    participants: int = 1,
    *,
    auditors: int = 0,
    mart: bool = False,
    maximum_rounds: int = 3,
    **changes: object,
) -> Terms:
    """Terms of a small test job; fields can be changed by name."""
    names = ["partner"] if participants == 1 else [f"partner-{k + 1}" for k in range(participants)]
    members = (
        Member(name="bank", role=Role.LOCAL),
        *(Member(name=name, role=Role.PARTICIPANT) for name in names),
        Member(name="arbiter", role=Role.ARBITER),
        *([Member(name="mart", role=Role.MART)] if mart else []),
        *(Member(name=f"auditor-{k + 1}", role=Role.AUDITOR) for k in range(auditors)),
    )
    optimiser = Optimiser(
        step=0.6,
        momentum=0.3,
        stop_threshold=1e-9,
        stop_rounds=2,
        maximum_rounds=maximum_rounds,
    )
    fields: dict[str, Any] = {
        "members": members,
        "optimiser": optimiser,
        "key_bits": 512,
        "short_key_for_tests": True,
        "leak_budget": 100.0,
        "smallest_overlap": 10,
        "smallest_bin": 1,
        "alignment": "mart" if mart else "hash",
        **changes,
    }
    return Terms(**fields)
