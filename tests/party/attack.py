"""A bank under attack by its partner: what is sent to it, and what it is to say of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bus.memory import MemoryBroker
from bus.parcel import Parcel
from events.catalogue import Fact
from events.envelope import Envelope, digest_of, event_id
from events.event import Event
from events.lifecycle import TrainingAccepted, TrainingFailed
from events.preparation import PublicKeyIssued
from party.errors import Reason
from party.jobs import job_history
from party.opening import Party
from tests.party.federation import HEX, JOB, Node, reasons

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
