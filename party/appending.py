"""From a draft to an envelope in the log: payloads stored, chained, timed, signed, appended."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from events.catalogue import CATALOGUE, Fact
from events.envelope import (
    MAXIMUM_ENVELOPE_BYTES,
    Envelope,
    PayloadReference,
    event_id,
    format_time,
)
from events.event import Event
from events.terms import Agreement
from handlers.agreement import written
from handlers.drafts import Draft, Payload
from handlers.own import payload_salt
from handlers.protocol_versions import SPOKEN
from party.errors import AppendError
from party.key_files import check_unchanged
from party.opening import Party
from store.entry import StreamHead
from store.payloads import SALT_BYTES, StoredPayload
from store.small_payloads import LARGEST_SMALL
from store.transaction import LogTransaction

INSTANT = timedelta(microseconds=1)  # two times that differ


@dataclass(frozen=True)
class StoredDraft:
    """A draft whose payloads are in the payload store: ready for a transaction.

    `kept` are the small ones, by commitment, which the transaction takes to the disk.
    """

    draft: Draft
    payloads: tuple[PayloadReference, ...]
    kept: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True)
class Causes:
    """What an event follows from: its cause in a shared stream, in private, and their times.

    `at` is the time for which a change of keys was made, while they are being changed.
    """

    shared: str | None = None
    private: str | None = None
    not_before: str = ""
    at: str = ""


def store_payloads(party: Party, draft: Draft) -> StoredDraft:
    """Outside any transaction: doing it twice gives the same files."""
    references, kept = [], []
    for payload in draft.payloads:
        salt = payload_salt(party.own, draft, payload)
        if SALT_BYTES + len(payload.content) <= LARGEST_SMALL:
            stored = party.payloads.hold(salt + payload.content)
            kept.append((stored.commitment, salt + payload.content))
        else:
            stored = party.payloads.put(salt, [payload.content])
        references.append(_reference(payload, stored))
    return StoredDraft(draft, tuple(references), tuple(kept))


def append_draft(
    transaction: LogTransaction,
    party: Party,
    stored: StoredDraft,
    causes: Causes,
    terms: Agreement | None,
    version: int = SPOKEN.newest,
) -> Fact[Event]:
    """Append as the next event of its stream, for every other member to receive if shared.

    A private event needs no `terms`: it goes to nobody. What is shared is written in the job's
    `version` of the protocol, a request in that which it offers.
    Raises AppendError when the envelope would be larger than any member accepts, and EventError
    when it is not what the catalogue says, BusyError when the keys were changed meanwhile.
    """
    if not causes.at:
        check_unchanged(party.folder, party.identity)
    draft = stored.draft
    head = transaction.stream_head(party.name, draft.stream)
    sequence = head.sequence + 1 if head else 0
    is_private = draft.event.PRIVATE
    schema, body = written(draft.event, version)
    envelope = Envelope(
        id=event_id(party.name, draft.stream, sequence),
        type=draft.event.type_name(),
        schemaversion=schema,
        source=party.name,
        stream=draft.stream,
        sequence=sequence,
        previous=head.digest if head else None,
        cause=causes.private if is_private else causes.shared,
        time=causes.at or _now(party, head, causes),
        data=body,
        payloads=stored.payloads,
    ).signed_with(party.identity.signing)
    fact = CATALOGUE.read(envelope)  # what no member would accept must not enter our own log
    canonical = envelope.canonical_bytes()
    if len(canonical) > MAXIMUM_ENVELOPE_BYTES:
        raise AppendError(
            f"{envelope.type} takes {len(canonical)} bytes, {MAXIMUM_ENVELOPE_BYTES} are the most: "
            "its vectors belong into payloads"
        )
    members = () if is_private or terms is None else terms.members
    others = [member.name for member in members if member.name != party.name]
    transaction.append(envelope, canonical, others)
    transaction.keep_payloads(stored.kept)
    return fact


def _now(party: Party, head: StreamHead | None, causes: Causes) -> str:
    """Never before what it follows, nor back in the time of keys that are retired."""
    before = max(head.time if head else "", causes.not_before)
    moment = datetime.now(UTC)
    if since := party.cards.since:
        moment = max(moment, datetime.fromisoformat(since) + INSTANT)
    return max(format_time(moment), before)


def _reference(payload: Payload, stored: StoredPayload) -> PayloadReference:
    return PayloadReference(
        name=payload.name,
        kind=payload.kind,
        shape=payload.shape,
        size=stored.size,
        commitment=stored.commitment,
        readers=payload.readers,
    )
