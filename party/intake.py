"""What becomes of a received chunk or envelope: known, held, appended or refused."""

from collections import deque
from collections.abc import Callable, Mapping

from events.catalogue import Fact
from events.envelope import Envelope, event_id
from events.event import Event
from events.opening import Opening
from events.rotation import KeyRotated
from party.appending import append_draft
from party.breaches import NOT_GENUINE, Breaches
from party.checks import check_follows, check_in_job, read_genuine
from party.damage import DamagedOnTheWay
from party.errors import Reason, RefusalError
from party.escrow import escrows_of
from party.opening import Party
from party.others_keys import catch_up_with_keys, check_counted, follow_keys
from party.payload_opening import PayloadOpener
from party.refused import RefusalAccount
from party.spool import ReceivedChunks
from party.transport import (
    BEHIND,
    Arrived,
    ChunkPlace,
    SealedPayload,
    announced_payloads,
    chunk_place,
    in_chunks,
)
from party.waiting import WaitingEnvelopes, payload_key
from store.entry import Entry, StreamHead
from store.errors import EquivocationError, SequenceConflictError

Headers = Mapping[str, object]


class Intake:
    """The door of one party's log. Raises RefusalError for what stays outside, and StoreError."""

    def __init__(self, party: Party, ask_again: Callable[[str, str], None]) -> None:
        self._party = party
        self._chunks = ReceivedChunks(party.folder.spool)
        self._opener = PayloadOpener(party, self._chunks)
        self._waiting = WaitingEnvelopes(party.log)
        self._breaches = Breaches(party)
        self._damaged = DamagedOnTheWay(ask_again)
        self._account = RefusalAccount(party.log)
        self._last_cause: Entry | None = None

    def look_back(self) -> None:
        """Consider again what was held when the party stopped, and forget old chunks."""
        catch_up_with_keys(self._party)
        wanted = set()
        for held in self._waiting.all_held():
            arrived = Arrived(held.canonical, held.transport, {})
            places = announced_payloads(held.envelope, arrived, self._party.name)
            wanted |= {(held.sender, sealed.digest) for sealed in places.values()}
            self._reconsider(held.sender, arrived)
        self._chunks.sweep(wanted)

    def take_chunk(self, sender: str, headers: Headers, body: bytes) -> None:
        """Keep a chunk, unless its event is in the log; what waited for it may come in now."""
        place = chunk_place(headers)
        if self._party.trusted.card(sender) is None:
            raise RefusalError(Reason.UNKNOWN_ISSUER, sender)
        if self._party.log.entry(place.event) is not None:
            return
        self._chunks.keep(sender, place, body)
        key = payload_key(sender, place.digest)
        if self._waiting.expects(key) and self._chunks.complete(sender, place.digest, place.count):
            self._release(key)

    def take_envelope(self, sender: str, arrived: Arrived) -> None:
        """Append it, hold it until what it needs is here, or drop it when it is in the log."""
        if appended := self._consider(sender, arrived):
            self._release(appended)

    def record(
        self,
        sender: str,
        refusal: RefusalError,
        canonical: bytes = b"",
        held: Envelope | None = None,
    ) -> None:
        """Count a refusal, and note what it means to the job of the envelope.

        The output says more, and nothing of a message's content.
        """
        kind = held.type if held else ""
        breach = None
        comes_again = self._damaged.comes_again(sender, canonical, refusal.reason)
        genuine = refusal.reason not in NOT_GENUINE
        if genuine and not comes_again and not self._waiting.holds(canonical):
            breach = self._breaches.of(sender, canonical, refusal.reason)
        count = self._account.enter(sender, refusal.reason, kind, str(refusal))
        if not (count or held or breach):
            return
        with self._party.log.transaction() as transaction:
            if count:
                count(transaction)
            if held:
                transaction.release(held.id)
            if breach:
                append_draft(transaction, self._party, breach.stored, breach.causes, breach.terms)

    def settle_refusals(self, *, now: bool = False) -> None:
        """Write down refusals that were only counted; cheap when there are none."""
        self._account.settle(now=now)

    def _release(self, key: str) -> None:
        """Consider what waited for this, and then what waited for that."""
        keys = deque([key])
        while keys:
            for held in self._waiting.arrived(keys.popleft()):
                arrived = Arrived(held.canonical, held.transport, {})
                if appended := self._reconsider(held.sender, arrived):
                    keys.append(appended)

    def _reconsider(self, sender: str, arrived: Arrived) -> str | None:
        """As `_consider`, for what was acknowledged before: a refusal is only recorded."""
        try:
            return self._consider(sender, arrived)
        except RefusalError as refusal:
            envelope = Envelope.model_validate_json(arrived.canonical)
            self._waiting.forget(envelope.id)
            self.record(sender, refusal, arrived.canonical, envelope)
            return None

    def _consider(self, sender: str, arrived: Arrived) -> str | None:
        """The event's id when it was appended now."""
        fact = read_genuine(sender, arrived.canonical, self._party.trusted)
        envelope = fact.envelope
        announced = announced_payloads(envelope, arrived, self._party.name)
        head = self._party.log.stream_head(envelope.source, envelope.stream)
        if known := head is not None and envelope.sequence <= head.sequence:
            self._compare(envelope, arrived.canonical)
        elif key := self._missing(envelope, head, sender, announced):
            self._hold(envelope, arrived, sender, key)
            return None
        else:
            try:
                self._admit(fact, arrived, head, announced)
            except RefusalError:
                self._discard(sender, announced)
                raise
        self._waiting.forget(envelope.id)
        self._discard(sender, announced)
        return None if known else envelope.id

    def _hold(self, envelope: Envelope, arrived: Arrived, sender: str, key: str) -> None:
        """What came behind the envelope waits with it, as chunks do."""
        for digest, content in arrived.behind.items():
            self._chunks.keep(sender, ChunkPlace(envelope.id, digest, 0, 1), content)
        if earlier := self._waiting.held(envelope.id):  # sent again, and sealed anew
            before = Arrived(earlier.canonical, earlier.transport, {})
            places = announced_payloads(envelope, before, self._party.name)
            now = announced_payloads(envelope, arrived, self._party.name).values()
            kept = {sealed.digest for sealed in now}
            self._discard(sender, {n: one for n, one in places.items() if one.digest not in kept})
        headers = in_chunks(arrived.headers)
        self._waiting.hold(envelope, arrived.canonical, sender, headers, key)

    def _discard(self, sender: str, announced: Mapping[str, SealedPayload]) -> None:
        for sealed in announced.values():
            self._chunks.discard(sender, sealed.digest)

    def _compare(self, envelope: Envelope, canonical: bytes) -> None:
        """It came before; anything else in its place is a second history."""
        known = self._party.log.entry(envelope.id)
        if known is None or known.canonical != canonical:
            raise RefusalError(Reason.EQUIVOCATION, f"{envelope.type} of {envelope.source}")

    def _missing(
        self,
        envelope: Envelope,
        head: StreamHead | None,
        sender: str,
        announced: Mapping[str, SealedPayload],
    ) -> str | None:
        """The first thing that has to be here before the envelope can be appended.

        Raises RefusalError for a payload that there is no room for.
        """
        if envelope.sequence > (head.sequence + 1 if head else 0):
            return event_id(envelope.source, envelope.stream, envelope.sequence - 1)
        if envelope.cause and self._cause(envelope) is None:
            return envelope.cause
        for name, sealed in announced.items():
            if sealed.chunks == BEHIND:
                continue
            here = self._party.payloads.has(envelope.payload(name).commitment)
            if not here and not self._chunks.complete(sender, sealed.digest, sealed.chunks):
                if not self._chunks.has_room(sender, sealed):
                    raise RefusalError(Reason.SPOOL_FULL, f"{name} of {envelope.type}")
                return payload_key(sender, sealed.digest)
        return None

    def _cause(self, envelope: Envelope) -> Entry | None:
        """From the log; the last one is remembered, as many events have the same cause."""
        if envelope.cause is None:
            return None
        if self._last_cause is None or self._last_cause.envelope.id != envelope.cause:
            self._last_cause = self._party.log.entry(envelope.cause)
        return self._last_cause

    def _admit(
        self,
        fact: Fact[Event],
        arrived: Arrived,
        head: StreamHead | None,
        announced: Mapping[str, SealedPayload],
    ) -> None:
        """The last checks, the payloads, and the envelope at last."""
        envelope, party = fact.envelope, self._party
        check_follows(envelope, head, self._cause(envelope))
        terms = self._party.jobs.terms(fact.job)
        check_in_job(fact, terms, party.name, party.role, party.trusted)
        check_counted(party, envelope)
        agreed = fact.event.terms if isinstance(fact.event, Opening) else terms
        kept = []
        for name, sealed in announced.items():
            came = arrived.behind.get(sealed.digest)
            kept += self._opener.open(
                fact.source, envelope.payload(name), sealed, came, len(escrows_of(agreed))
            )
        try:
            with party.log.transaction() as transaction:
                transaction.append(envelope, arrived.canonical)
                transaction.keep_payloads(kept)
                transaction.release(envelope.id)
        except (EquivocationError, SequenceConflictError) as error:
            raise RefusalError(Reason.EQUIVOCATION, str(error)) from None
        self._follow(fact)

    def _follow(self, fact: Fact[Event]) -> None:
        """New keys of another party; after a crash before this, the next start does it."""
        if isinstance(fact.event, KeyRotated):
            follow_keys(self._party, Fact(fact.envelope, fact.event))
