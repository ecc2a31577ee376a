"""A member's message that is genuine and yet refused breaks its job: noted for the handlers.

What a stranger sends, or somebody in a member's name, must not end a job, and neither must the
copy of a message that is here already.
"""

from dataclasses import dataclass

from events.envelope import Envelope
from events.lifecycle import MessageRefused
from events.rotation import RotationTerms
from events.terms import Agreement
from events.vocabulary import Role
from handlers.drafts import draft
from party.appending import Causes, StoredDraft
from party.checks import genuine_envelope
from party.errors import Reason, RefusalError
from party.jobs import job_history
from party.opening import Party

# Anybody could have sent it in the sender's name.
NOT_GENUINE = frozenset(
    {
        Reason.NOT_AN_ENVELOPE,
        Reason.FALSE_IDENTITY,
        Reason.OTHER_SENDER,
        Reason.UNKNOWN_ISSUER,
        Reason.FALSE_SIGNATURE,
    }
)


@dataclass(frozen=True)
class Breach:
    """The private event to be appended together with the record of the refusal."""

    stored: StoredDraft
    causes: Causes
    terms: Agreement


class Breaches:
    """Finds out what a refusal means to a job: once a job and sender, as long as it goes on."""

    def __init__(self, party: Party) -> None:
        self._party = party
        self._settled: set[tuple[str, str]] = set()

    def of(self, sender: str, canonical: bytes, reason: Reason) -> Breach | None:
        """None when the refusal is no member's breach of a job under way, or is noted already."""
        try:
            envelope = genuine_envelope(sender, canonical, self._party.trusted)
        except RefusalError:
            return None
        job = envelope.stream
        here = self._party.log.entry(envelope.id)
        if (here and here.canonical == canonical) or (sender, job) in self._settled:
            return None
        history = job_history(self._party.log, job)
        if not history.is_known:
            return None
        terms = history.agreement
        if isinstance(terms, RotationTerms) or terms.role_of(sender) in {None, Role.AUDITOR}:
            return None
        self._settled.add((sender, job))  # read once: a flood of refusals must not cost much
        if history.is_over or history.has(MessageRefused, sender=sender):
            return None
        refused = MessageRefused(job=job, sender=sender, reason=_told(reason, envelope))
        opening = history.opening.envelope
        return Breach(
            StoredDraft(draft(refused, job, terms), ()),
            Causes(private=opening.id, not_before=opening.time),
            terms,
        )


def _told(reason: Reason, envelope: Envelope) -> str:
    """What nobody here knows is named, so that its sender sees who has to be upgraded."""
    if reason is not Reason.UNKNOWN_EVENT or not envelope.type.isidentifier():
        return str(reason)
    return f"{reason}, {envelope.type[:80]} {envelope.schemaversion}: upgrade the software here"
