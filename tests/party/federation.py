"""A toy federation: real folders, keys, logs and pumps; handlers that only pass things on."""

import time
from collections.abc import Callable
from pathlib import Path

from bus.memory import MemoryBroker
from events.catalogue import Fact
from events.event import Event
from events.lifecycle import TrainingAccepted, TrainingRequested
from events.preparation import (
    DataPrepared,
    FeaturesPrepared,
    IdentifiersPosted,
    PublicKeyIssued,
    RowsAligned,
)
from events.terms import Member, Optimiser, Terms
from events.versions import ONLY_THE_FIRST
from events.vocabulary import Role
from handlers.agreement import offer, to_be_told
from handlers.drafts import Decision, blob, draft
from handlers.history import History
from handlers.own import Own
from handlers.protocol_versions import SPOKEN
from party.appending import Causes, append_draft, store_payloads
from party.creating import create_party
from party.heads_exchange import HeadsExchange
from party.opening import Party, open_party, party_card, trust
from party.publisher import Publisher
from party.reactor import Decide, Reactor
from party.receiver import Receiver

JOB = "job-1"
HEX = "ab" * 32
ROLES = {
    "bank": Role.LOCAL,
    "partner": Role.PARTICIPANT,
    "arbiter": Role.ARBITER,
    "watcher": Role.AUDITOR,
}
MEMBERS = ("bank", "partner", "arbiter")


def terms(*names: str) -> Terms:
    return Terms(
        members=tuple(Member(name=name, role=ROLES[name]) for name in names or MEMBERS),
        optimiser=Optimiser(
            step=0.5, momentum=0.0, stop_threshold=1e-4, stop_rounds=2, maximum_rounds=3
        ),
    )


def toy_decide(  # noqa: PLR0911 - one branch an event
    role: Role, history: History, fact: Fact[Event], own: Own
) -> Decision:
    """Enough of the real protocol to send payloads both ways and to react to private facts."""
    job, agreed = history.job, history.terms
    match role, fact.event:
        case Role.PARTICIPANT | Role.ARBITER, TrainingRequested():
            accepted = TrainingAccepted(
                customers=1,
                secret_commitment=HEX,
                data_commitment=None,
                speaks=to_be_told(history, own.speaks),
            )
            return [draft(accepted, job, agreed)]
        case Role.ARBITER, TrainingAccepted():
            if history.has_from_all(TrainingAccepted, (*agreed.participants, agreed.arbiter)):
                issued = PublicKeyIssued(key_id=HEX, modulus="f", obfuscator_base="f")
                return [draft(issued, job, agreed)]
        case Role.PARTICIPANT, PublicKeyIssued():
            handles = own.generator(job, "handles").bytes(HANDLE_BYTES)
            return [draft(IdentifiersPosted(customers=9), job, agreed, blob("handles", handles))]
        case Role.LOCAL, IdentifiersPosted():
            handles = own.read(fact.payload("handles"))
            aligned = RowsAligned(rows=9, training_rows=8, held_out_rows=1)
            payloads = blob("handles", handles[::-1]), blob("held_out", b"\1")
            return [draft(aligned, job, agreed, *payloads)]
        case Role.PARTICIPANT, RowsAligned():
            prepared = DataPrepared(job=job, variables=1, columns=2)
            kept = (blob(name, b"-") for name in ("bins", "codes", "start", "notes"))
            return [draft(prepared, job, agreed, *kept)]
        case Role.PARTICIPANT, DataPrepared():
            return [draft(FeaturesPrepared(variables=1, columns=2), job, agreed)]
    return []


HANDLE_BYTES = 50_000
TOY_SEQUENCE = {
    ("bank", "TrainingRequested"),
    ("partner", "TrainingAccepted"),
    ("arbiter", "TrainingAccepted"),
    ("arbiter", "PublicKeyIssued"),
    ("partner", "IdentifiersPosted"),
    ("bank", "RowsAligned"),
    ("partner", "FeaturesPrepared"),
}


def make_federation(folder: Path, *names: str) -> dict[str, Party]:
    """Parties in folders of their own, each trusting all the others."""
    names = names or MEMBERS
    for name in names:
        create_party(folder / name, ROLES[name], name)
        (folder / f"{name}.card").write_text(party_card(folder / name).model_dump_json())
    for name in names:
        trust(folder / name, *(folder / f"{other}.card" for other in names if other != name))
    return {name: open_party(folder / name) for name in names}


def request(bank: Party, agreed: Terms | None = None, job: str = JOB) -> Fact[Event]:
    """TrainingRequested as the bank's first event, without a data source."""
    agreed = agreed or terms()
    event = TrainingRequested(
        terms=agreed,
        customers=9,
        secret_commitment=HEX,
        data_commitment=HEX,
        speaks=offer(agreed, SPOKEN) if agreed.escrows else ONLY_THE_FIRST,
    )
    return say(bank, event, blob("alignment_key", b"k" * 32), agreed=agreed, job=job)


def say(
    party: Party,
    event: Event,
    *payloads: object,
    cause: str | None = None,
    agreed: Terms | None = None,
    job: str = JOB,
) -> Fact[Event]:
    """Append an event to the party's own log, as its reactor would."""
    agreed = agreed or terms()
    stored = store_payloads(party, draft(event, job, agreed, *payloads))  # type: ignore[arg-type]
    with party.log.transaction() as transaction:
        return append_draft(transaction, party, stored, Causes(shared=cause), agreed)


class Clock:
    """Time that only passes when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Node:
    """A party with its pumps, turned by hand: no threads, no waiting."""

    def __init__(self, party: Party, broker: MemoryBroker, decide: Decide = toy_decide) -> None:
        self.party = party
        self.endpoint = broker.endpoint(party.name)
        self.publisher = Publisher(party, self.endpoint)
        self.clock = Clock()
        self.heads = HeadsExchange(
            party, self.endpoint, self.publisher.look_again, clock=self.clock
        )
        self.receiver = Receiver(party, self.endpoint, self.heads)
        self.reactor = Reactor(party, decide)

    def publish(self) -> None:
        """Send what is pending and note the answers."""
        for _ in range(3):
            self.publisher.step(0)

    def receive(self, parcels: int = 100) -> None:
        for _ in range(parcels):
            self.receiver.step(0)

    def react(self) -> None:
        while self.reactor.step_once():
            pass

    def compare_heads(self, seconds: float = 2.0) -> None:
        """Let time pass, and say what there is to say about heads."""
        self.clock.now += seconds
        self.heads.step(0)

    def turn(self) -> None:
        self.publish()
        self.receive()
        self.react()


def run(*nodes: Node) -> None:
    """Turn all pumps until no log grows any more."""
    before: list[int] = []
    while before != (now := [node.party.log.head() for node in nodes]):
        before = now
        for _ in range(2):
            for node in nodes:
                node.turn()


def reasons(party: Party) -> dict[str, int]:
    """Why this party refused messages, and how often."""
    return {refusal.reason: refusal.count for refusal in party.log.refusals()}


def events(party: Party) -> set[tuple[str, str]]:
    return {
        (e.envelope.source, e.envelope.type) for e in party.log.read() if not e.envelope.is_private
    }


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for what the pumps bring about; fail loudly when they do not."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "the federation got stuck"
        time.sleep(0.002)
