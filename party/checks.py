"""What a received envelope must be before it enters the log. Every refusal has its own reason.

First what the envelope alone shows, then how it stands in its stream and its job.
"""

from typing import Protocol

from events.card import PartyCard
from events.card_history import CardHistory, hands_over
from events.catalogue import CATALOGUE, Fact
from events.envelope import Envelope, read_envelope, signed_part, verify_signature
from events.errors import EnvelopeError, IdentityError, SignatureError, UnknownEventError
from events.event import Event
from events.opening import Opening
from events.rotation import KeyRotated, RotationTerms, rotation_stream
from events.terms import Agreement
from events.vocabulary import Role
from party.errors import Reason, RefusalError
from party.trust import TrustedCards
from store.entry import Entry, StreamHead


class Cards(Protocol):
    """Whom to believe, by name."""

    def history(self, name: str) -> CardHistory | None: ...


def read_genuine(sender: str, canonical: bytes, trusted: TrustedCards) -> Fact[Event]:
    """As `genuine_envelope`, known to the catalogue as well. Raises RefusalError."""
    envelope = genuine_envelope(sender, canonical, trusted)
    if envelope.is_private:
        raise RefusalError(Reason.PRIVATE_EVENT, f"{envelope.type} of {sender}")
    try:
        return CATALOGUE.read(envelope)
    except UnknownEventError as error:
        raise RefusalError(Reason.UNKNOWN_EVENT, str(error)) from None
    except EnvelopeError as error:
        raise RefusalError(Reason.AGAINST_SCHEMA, str(error)) from None


def genuine_envelope(sender: str, canonical: bytes, trusted: Cards) -> Envelope:
    """Parse what `sender` sent: whole, canonical and signed by it. Raises RefusalError.

    What costs least comes first: a stranger's message is not even read.
    """
    history = trusted.history(sender)
    if history is None:
        raise RefusalError(Reason.UNKNOWN_ISSUER, sender)
    envelope = _parse(canonical)
    if envelope.source != sender:
        raise RefusalError(Reason.OTHER_SENDER, f"{envelope.source} through {sender}")
    try:
        key = history.at(envelope.time).verifying_key()
        verify_signature(envelope, key, signed_part(canonical, envelope))
    except SignatureError as error:
        known = any(_is_signed_with(envelope, one.card) for one in history.retired)
        reason = Reason.RETIRED_KEY if known else Reason.FALSE_SIGNATURE
        raise RefusalError(reason, str(error)) from None
    return envelope


def _is_signed_with(envelope: Envelope, card: PartyCard) -> bool:
    try:
        verify_signature(envelope, card.verifying_key())
    except SignatureError:
        return False
    return True


def _parse(canonical: bytes) -> Envelope:
    try:
        return read_envelope(canonical)
    except IdentityError as error:
        raise RefusalError(Reason.FALSE_IDENTITY, str(error)) from None
    except EnvelopeError as error:
        raise RefusalError(Reason.NOT_AN_ENVELOPE, str(error)) from None


def check_follows(envelope: Envelope, previous: StreamHead | None, cause: Entry | None) -> None:
    """The envelope continues the history that this log has of its stream, and time goes on."""
    if envelope.previous != (previous.digest if previous else None):
        raise RefusalError(Reason.EQUIVOCATION, f"stream {envelope.stream} of {envelope.source}")
    if cause is None:
        if not issubclass(CATALOGUE.type_of(envelope), Opening):
            raise RefusalError(Reason.FOREIGN_CAUSE, f"{envelope.type} of {envelope.source}")
    elif cause.envelope.stream != envelope.stream:
        raise RefusalError(Reason.FOREIGN_CAUSE, f"{envelope.type} of {envelope.source}")
    before = max(previous.time if previous else "", cause.envelope.time if cause else "")
    if envelope.time < before:
        raise RefusalError(Reason.BACK_DATED, f"{envelope.type} of {envelope.source}")


def check_opening(
    fact: Fact[Opening], known: Agreement | None, name: str, role: Role, trusted: TrustedCards
) -> None:
    """A new job, opened by the one that asks, among parties that are all trusted here.

    Raises RefusalError. Whether to take part is the handlers' and the policy's decision.
    """
    terms, source = fact.event.terms, fact.source
    if isinstance(fact.event, KeyRotated):
        check_rotation(Fact(fact.envelope, fact.event), trusted)
    if known is not None:
        raise RefusalError(Reason.JOB_TAKEN, f"{fact.job} by {source}")
    if terms.asker != source:
        raise RefusalError(Reason.WRONG_ROLE, f"{fact.envelope.type} of {source}")
    if terms.role_of(name) is not role:
        raise RefusalError(Reason.NOT_INVITED, f"job {fact.job} of {source}")
    for member in terms.members:
        card = trusted.card(member.name)
        if member.name != name and (card is None or card.role is not member.role):
            raise RefusalError(Reason.UNTRUSTED_MEMBER, f"{member.name} as {member.role}")


def check_rotation(fact: Fact[KeyRotated], trusted: TrustedCards) -> None:
    """The trusted card itself vouches for the new one, in the place for it. Raises RefusalError."""
    known, event = trusted.history(fact.source), fact.event
    others = [one.name for one in event.terms.members if one.name != fact.source]
    in_place = [fact.job] == [rotation_stream(event.retired, one) for one in others]
    if known is None or not in_place or not hands_over(fact):
        raise RefusalError(Reason.FALSE_ROTATION, fact.source)
    if event.retired != known.current or fact.envelope.time <= known.since:
        raise RefusalError(Reason.FALSE_ROTATION, f"{fact.source} retires a card not trusted here")


def check_said_by_member(fact: Fact[Event], terms: Agreement) -> None:
    """The issuer's role in the job allows this event, and each payload goes to whom it may."""
    envelope = fact.envelope
    role = terms.role_of(fact.source)
    if role is None:
        raise RefusalError(Reason.NOT_A_MEMBER, f"{fact.source} in {fact.job}")
    if role not in fact.event.ISSUERS:
        raise RefusalError(Reason.WRONG_ROLE, f"{envelope.type} by {role} {fact.source}")
    rules = fact.event.rules()
    for reference in envelope.payloads:
        allowed = set(terms.readers(rules[reference.name])) - {fact.source}
        if not allowed.issuperset(reference.readers):
            raise RefusalError(Reason.WRONG_READERS, f"{reference.name} of {envelope.type}")


def check_in_job(
    fact: Fact[Event], terms: Agreement | None, name: str, role: Role, trusted: TrustedCards
) -> None:
    """Everything that depends on the job; `terms` are None while the log has no such job."""
    if isinstance(fact.event, Opening):
        check_opening(Fact(fact.envelope, fact.event), terms, name, role, trusted)
        terms = fact.event.terms
    if terms is None:
        raise RefusalError(Reason.UNKNOWN_JOB, fact.job)
    if isinstance(terms, RotationTerms) and not isinstance(fact.event, KeyRotated):
        raise RefusalError(Reason.CLOSED_STREAM, f"{fact.envelope.type} of {fact.source}")
    check_said_by_member(fact, terms)
