"""Valid envelopes for tests: an issuer with a key says events, one after the other."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from events.envelope import Envelope, PayloadReference, digest_of, event_id, format_time
from events.event import Event
from events.terms import Member, Optimiser, Terms
from events.vocabulary import PRIVATE_STREAM, Role

SOME_DIGEST = "0" * 64
MEMBERS = (
    Member(name="bank", role=Role.LOCAL),
    Member(name="partner", role=Role.PARTICIPANT),
    Member(name="arbiter", role=Role.ARBITER),
)


class Issuer:
    """A party that signs: keeps the heads of its streams, a key and a clock of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
        self._heads: dict[str, tuple[int, str]] = {}
        self._time = datetime(2026, 1, 1, tzinfo=UTC)

    def says(
        self,
        event: Event,
        job: str = "job-1",
        cause: Envelope | None = None,
        payloads: Mapping[str, PayloadReference] | None = None,
    ) -> Envelope:
        """The event as the next envelope of its stream; payloads not given are made up."""
        stream = PRIVATE_STREAM if event.PRIVATE else job
        last, previous = self._heads.get(stream, (-1, None))
        self._time += timedelta(seconds=1)
        envelope = Envelope(
            id=event_id(self.name, stream, last + 1),
            type=event.type_name(),
            schemaversion=event.VERSION,
            source=self.name,
            stream=stream,
            sequence=last + 1,
            previous=previous,
            cause=cause.id if cause else None,
            time=format_time(self._time),
            data=event.model_dump(mode="json"),
            payloads=_references(event, payloads or {}),
        ).signed_with(self.key)
        self._heads[stream] = last + 1, digest_of(envelope.canonical_bytes())
        return envelope


def reference(
    name: str,
    kind: str,
    commitment: str = SOME_DIGEST,
    shape: tuple[int, ...] = (1,),
    size: int = 1,
) -> PayloadReference:
    return PayloadReference(name=name, kind=kind, shape=shape, size=size, commitment=commitment)


def terms(members: tuple[Member, ...] = MEMBERS) -> Terms:
    return Terms(
        members=members,
        optimiser=Optimiser(
            step=0.6, momentum=0.3, stop_threshold=1e-4, stop_rounds=2, maximum_rounds=12
        ),
    )


def _references(
    event: Event, given: Mapping[str, PayloadReference]
) -> tuple[PayloadReference, ...]:
    return tuple(
        given.get(name) or reference(name, rule.kind) for name, rule in event.rules().items()
    )
