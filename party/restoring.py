"""A party whose log was restored from an old backup takes back what it had said since.

Its peers hold the shared events that its log has lost, under its own signature. They come back in
sequence before it says anything new, or it would tell a second history. What it noted in private
is lost for good, so it does not go on with such a job: it states in each how far its log is the
one that it was (LogRestored), and the party that asked ends the job by name.
"""

from dataclasses import dataclass

import structlog

from events.card_history import CardHistory, hands_over
from events.catalogue import CATALOGUE, Fact
from events.envelope import Envelope, read_envelope
from events.errors import EventError
from events.event import Event
from events.opening import Opening
from events.rotation import KeyRotated
from events.terms import Agreement
from events.witness import LogRestored, OwnEventsMissed
from handlers.agreement import version_to_write
from handlers.drafts import Draft
from party.appending import Causes, StoredDraft, append_draft
from party.checks import genuine_envelope
from party.errors import Reason, RefusalError
from party.jobs import job_history
from party.opening import Party
from party.own_keys import retired_keys

log = structlog.get_logger()


class Restoration:
    """Which jobs lack events of our own, as the log itself says; survives a crash."""

    def __init__(self, party: Party) -> None:
        self._party = party
        self._sizes: dict[str, int] = {}
        for entry in party.log.said_since(party.name, OwnEventsMissed.type_name(), ""):
            event = CATALOGUE.read(entry.envelope).event
            if isinstance(event, OwnEventsMissed):
                self._sizes[event.job] = event.size
        for entry in party.log.said_since(party.name, LogRestored.type_name(), ""):
            self._sizes.pop(entry.envelope.stream, None)

    @property
    def jobs(self) -> tuple[str, ...]:
        return tuple(self._sizes)

    def take_back(self, sender: str, canonical: bytes) -> None:
        """Append an event that this party said before it was restored, when it is the next one.

        Raises RefusalError for what this party never said, or says otherwise now.
        """
        party = self._party
        if party.trusted.card(sender) is None:
            raise RefusalError(Reason.UNKNOWN_ISSUER, sender)
        if rotation := _rotation(party, canonical):
            self._take_back_rotation(rotation, canonical)
            return
        envelope = genuine_envelope(party.name, canonical, _Oneself(party))
        if known := party.log.entry(envelope.id):
            if known.canonical != canonical:
                raise RefusalError(Reason.EQUIVOCATION, f"{envelope.type} of this party itself")
            return
        head = party.log.stream_head(party.name, envelope.stream)
        follows = (head.sequence + 1, head.digest) if head else (0, None)
        if envelope.is_private or (envelope.sequence, envelope.previous) != follows:
            return  # it comes again, in order
        fact = _read(envelope)
        terms = _terms(party, fact)
        if terms is None or (envelope.cause and party.log.entry(envelope.cause) is None):
            return
        self._begin(envelope.stream)
        with party.log.transaction() as transaction:
            transaction.append(envelope, canonical, _who_can_be_told(party, envelope, terms))

    def _take_back_rotation(self, rotation: Fact[KeyRotated], canonical: bytes) -> None:
        """It says whether the log is from before a change of keys, or the keys themselves are."""
        party, envelope = self._party, rotation.envelope
        if rotation.event.retired.signing_key == party.card.signing_key:
            raise retired_keys(party.folder, rotation)
        if rotation.event.card not in party.cards.cards:
            raise RefusalError(Reason.FALSE_ROTATION, party.name)
        with party.log.transaction() as transaction:
            transaction.append(envelope, canonical, [])

    def finish(self, job: str) -> None:
        """Everything that the others hold is back: say so to all members of the job."""
        party = self._party
        history = job_history(party.log, job)
        if not history.is_known:
            return
        opening, restored = history.opening.envelope, LogRestored(size=self._sizes[job])
        causes = Causes(shared=opening.id, not_before=opening.time)
        stored = StoredDraft(Draft(restored, job), ())
        with party.log.transaction() as transaction:
            version = version_to_write(history)
            append_draft(transaction, party, stored, causes, history.agreement, version)
        log.warning("log_restored", job=job, size=self._sizes.pop(job))

    def _begin(self, job: str) -> None:
        """Note it first: after a crash in the midst of it the log looks whole."""
        if job in self._sizes:
            return
        size = min(self._sizes.values(), default=_newest_own(self._party))
        missed = StoredDraft(Draft(OwnEventsMissed(job=job, size=size), job), ())
        log.warning("own_events_missed", job=job, size=size)
        with self._party.log.transaction() as transaction:
            append_draft(transaction, self._party, missed, Causes(), None)
        self._sizes[job] = size


@dataclass(frozen=True)
class _Oneself:
    """Trusts this party's own cards alone."""

    party: Party

    def history(self, name: str) -> CardHistory | None:
        return self.party.cards if name == self.party.name else None


def _rotation(party: Party, canonical: bytes) -> Fact[KeyRotated] | None:
    """A change of our own keys, said with both of them. Raises RefusalError."""
    try:
        envelope = read_envelope(canonical)
        if (envelope.type, envelope.source) != (KeyRotated.type_name(), party.name):
            return None
        event = CATALOGUE.read(envelope).event
    except EventError as error:
        raise RefusalError(Reason.NOT_AN_ENVELOPE, str(error)) from None
    if not isinstance(event, KeyRotated) or not hands_over(Fact(envelope, event)):
        raise RefusalError(Reason.FALSE_ROTATION, party.name)
    return Fact(envelope, event)


def _newest_own(party: Party) -> int:
    """Up to our newest event the log is what it was: others' may have come since."""
    position = party.log.head()
    while position:
        for entry in reversed(party.log.read(max(0, position - 1000), min(position, 1000))):
            if entry.envelope.source == party.name:
                return entry.position
        position = max(0, position - 1000)
    return 0


def _read(envelope: Envelope) -> Fact[Event]:
    try:
        return CATALOGUE.read(envelope)
    except EventError as error:
        raise RefusalError(Reason.UNKNOWN_EVENT, str(error)) from None


def _terms(party: Party, fact: Fact[Event]) -> Agreement | None:
    if isinstance(fact.event, Opening):
        return fact.event.terms
    history = job_history(party.log, fact.job)
    return history.agreement if history.is_known else None


def _who_can_be_told(party: Party, envelope: Envelope, terms: Agreement) -> list[str]:
    """All other members, but for the readers of payloads that are lost here."""
    lost = {
        reader
        for reference in envelope.payloads
        if not party.payloads.has(reference.commitment)
        for reader in reference.readers
    }
    return [one.name for one in terms.members if one.name != party.name and one.name not in lost]
