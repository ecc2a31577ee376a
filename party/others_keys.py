"""New keys of other parties: followed at once, or shown to the operator, as the policy says."""

import structlog

from events.catalogue import Fact
from events.envelope import Envelope
from events.rotation import KeyRotated
from party.errors import Reason, RefusalError
from party.opening import Party
from party.own_keys import rotation_of

log = structlog.get_logger()


def follow_keys(party: Party, fact: Fact[KeyRotated]) -> None:
    """The new card takes the place of the one that vouches for it, unless the policy asks first."""
    accepted = party.settings.policy.new_keys == "accept"
    log.warning(
        "keys_rotated",
        party=fact.source,
        retired=fact.event.retired.fingerprint,
        fingerprint=fact.event.card.fingerprint,
        accepted=accepted,
    )
    if accepted:
        party.trusted.follow(fact)


def catch_up_with_keys(party: Party) -> None:
    """What the log says of new keys and the cards do not: a crash came between, or the policy."""
    for card in list(party.trusted):
        known = card
        while rotation := rotation_of(party.log, party.name, known):
            follow_keys(party, rotation)
            before, known = known, party.trusted.card(card.name) or known
            if known == before:
                break


def check_counted(party: Party, envelope: Envelope) -> None:
    """With a retired key nothing is added to what its party had said. Raises RefusalError.

    What got lost on its way may still come, as long as something is missing.
    """
    known = party.trusted.history(envelope.source)
    if known is None or envelope.time > known.since:
        return
    rotation = rotation_of(party.log, party.name, known.at(envelope.time))
    if rotation is None or envelope.id == rotation.envelope.id:
        return
    here = party.log.count_said(envelope.source, rotation.envelope.time)
    if here >= rotation.event.said:
        raise RefusalError(Reason.RETIRED_KEY, f"{envelope.type} of {envelope.source}")
