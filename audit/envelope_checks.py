"""What an event shows by itself: form, identity, schema and signature."""

from bisect import bisect_left
from collections.abc import Mapping
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.findings import Check, Finding
from events.card_history import CardHistory, successor_fault
from events.catalogue import CATALOGUE, Fact
from events.envelope import digest_of, read_envelope, signed_part, verify_signature
from events.errors import EnvelopeError, EventError, IdentityError, SignatureError
from events.event import Event
from events.merkle import leaf_hash
from events.rotation import KeyRotated
from store.entry import Entry


class Line(NamedTuple):
    """What the checks across events need of one event."""

    position: int
    id: str
    type: str
    source: str
    stream: str
    sequence: int
    previous: str | None
    cause: str | None
    time: str
    digest: str
    job: str
    private: bool


class Examined(NamedTuple):
    """One entry, looked at by itself; no line where it is no envelope at all.

    The fact is there where it was read in this process.
    """

    entry: Entry
    leaf: bytes
    line: Line | None
    findings: tuple[Finding, ...]
    fact: Fact[Event] | None = None


class _Keys(NamedTuple):
    """Of one party: each but the last one is its key up to and at a time."""

    until: list[str]
    keys: list[Ed25519PublicKey]

    def at(self, time: str) -> Ed25519PublicKey:
        return self.keys[bisect_left(self.until, time)]


class EnvelopeChecks:
    """The checks, with the keys they need. Made once a process."""

    def __init__(self, histories: Mapping[str, CardHistory], *, signatures: bool = True) -> None:
        self._histories = histories
        self._keys = {
            name: _Keys(
                [one.until for one in history.retired],
                [card.verifying_key() for card in history.cards],
            )
            for name, history in histories.items()
        }
        self._signatures = signatures

    def examine(self, entry: Entry) -> Examined:
        canonical = entry.canonical
        leaf = leaf_hash(canonical)
        try:
            envelope = read_envelope(canonical)
        except (EnvelopeError, IdentityError) as error:
            found = Finding(check=Check.FORMAT, detail=str(error), position=entry.position)
            return Examined(entry, leaf, None, (found,))
        job = str(envelope.data.get("job", "")) if envelope.is_private else envelope.stream
        line = Line(
            entry.position,
            envelope.id,
            envelope.type,
            envelope.source,
            envelope.stream,
            envelope.sequence,
            envelope.previous,
            envelope.cause,
            envelope.time,
            digest_of(canonical),
            job,
            envelope.is_private,
        )
        findings, fact = [], None
        try:
            fact = CATALOGUE.read(envelope)
        except EventError as error:
            findings.append(at(line, Check.SCHEMA, str(error)))
        if self._signatures:
            keys = self._keys.get(envelope.source)
            if keys is None:
                detail = f"there is no card of {envelope.source} to check it with"
                findings.append(at(line, Check.SIGNATURES, detail))
            else:
                try:
                    signed = signed_part(canonical, envelope)
                    verify_signature(envelope, keys.at(envelope.time), signed)
                except SignatureError as error:
                    findings.append(at(line, Check.SIGNATURES, str(error)))
            if fact and isinstance(fact.event, KeyRotated):
                findings += self._succession(line, Fact(fact.envelope, fact.event))
        return Examined(entry, leaf, line, tuple(findings), fact)

    def _succession(self, line: Line, fact: Fact[KeyRotated]) -> list[Finding]:
        fault = successor_fault(fact, self._histories.get(fact.source))
        return [at(line, Check.SIGNATURES, fault)] if fault else []


def at(line: Line, check: Check, detail: str) -> Finding:
    return Finding(
        check=check,
        detail=detail,
        position=line.position,
        event=line.id,
        type=line.type,
        source=line.source,
        job=line.job,
    )
