"""New keys of other parties: followed at once, or shown to the operator, as the policy says."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import structlog

from events.card import PartyCard
from events.catalogue import Fact
from events.envelope import Envelope
from events.rotation import KeyRotated
from events.vocabulary import Frozen
from party.errors import Reason, RefusalError
from party.folder import PartyFolder
from party.opening import Party, open_party, trust
from party.own_keys import rotation_of
from party.trust import TrustedCards, read_card

log = structlog.get_logger()


class ChangedKeys(Frozen):
    """A party's newest keys, since when it has them, and whether they are trusted here."""

    party: str
    fingerprint: str
    since: str
    accepted: bool


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


def trust_cards(path: Path, *cards: Path) -> list[PartyCard]:
    """As `trust`, also of the new card of a party whose known card vouches for it in this log."""
    folder = PartyFolder(path.absolute())
    offered = [read_card(card) for card in cards]
    trusted = TrustedCards(folder.trusted)
    if any(trusted.card(one.name) not in {None, one} for one in offered):
        with closing(open_party(path)) as party:
            for one in offered:
                known = trusted.card(one.name)
                rotation = rotation_of(party.log, party.name, known) if known else None
                if rotation is not None and rotation.event.card == one:
                    trusted.follow(rotation)
    return trust(path, *cards)


def changed_keys(party: Party) -> Iterator[ChangedKeys]:
    """Of every trusted party whose keys were not always those that it has, or says to have."""
    for card in party.trusted:
        history = party.trusted.history(card.name)
        rotation = rotation_of(party.log, party.name, card)
        if rotation is not None:
            new, time = rotation.event.card.fingerprint, rotation.envelope.time
            yield ChangedKeys(party=card.name, fingerprint=new, since=time, accepted=False)
        elif history is not None and history.retired:
            since = history.since
            new = card.fingerprint
            yield ChangedKeys(party=card.name, fingerprint=new, since=since, accepted=True)


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
