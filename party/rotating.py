"""Changing a party's keys (KeyRotated): the log says it, everybody who trusts it is told.

The party does not run meanwhile, no job of it is under way and nothing is left to be sent, so that
nothing is signed with a key that its readers have just stopped to believe.
"""

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from events.card import PartyCard
from events.catalogue import Fact
from events.envelope import format_time
from events.rotation import KeyRotated, RotationTerms, new_keys, rotation_stream
from events.terms import Member
from handlers.drafts import Draft
from handlers.protocol_versions import KEYS_ROTATE
from party.appending import INSTANT, Causes, StoredDraft, append_draft
from party.errors import RotationError
from party.key_files import discard_next, install_next, prepare_next
from party.lock import running_alone
from party.opening import Party, open_party
from party.own_keys import cards_after
from party.projecting import open_views
from projections import jobs
from store.transaction import LogTransaction


@dataclass(frozen=True)
class KeysRotated:
    """The cards before and after, and who will be told when the party runs."""

    retired: PartyCard
    card: PartyCard
    told: tuple[str, ...]


def rotate_keys(path: Path) -> KeysRotated:
    """Give the party new keys for signing and sealing, from its next event on.

    Raises RotationError while a job is under way or something is left to be sent,
    AlreadyRunningError, PartyError, StoreError.
    """
    with closing(open_party(path)) as party, running_alone(party.folder.lock):
        _refuse_held_back(party)
        _refuse_unfinished(party)
        fresh = prepare_next(party.folder.keys, party.identity)
        card = fresh.card(party.name, party.role)
        others = [one.name for one in party.trusted]
        try:
            with party.log.transaction() as transaction:
                time = _time(transaction, party)
                for name in (party.name, *others):
                    terms = _terms(party, name)
                    said = transaction.addressed(name)
                    event = new_keys(terms, party.card, card, said, fresh.signing, time)
                    rotation = _append(transaction, party, event, name, time)
        except BaseException:
            discard_next(party.folder.keys)
            raise
        install_next(party.folder.keys, party.card, cards_after(party.identity, rotation))
        return KeysRotated(party.card, card, tuple(others))


def _refuse_held_back(party: Party) -> None:
    """Members whose software does not know KeyRotated would refuse the new keys."""
    if party.settings.speaks.newest < KEYS_ROTATE:
        raise RotationError(
            f"newest_protocol holds {party.name} to {party.settings.speaks} of the protocol, in "
            "which no keys change: upgrade all members, and take it out of party.toml"
        )


def _refuse_unfinished(party: Party) -> None:
    with closing(open_views(party)) as views:
        views.catch_up(party.log)
        under_way = [row["job"] for row in views.select(jobs()) if row["ended"] is None]
    if under_way:
        raise RotationError(
            f"the keys of {party.name} cannot be changed while a job is under way: "
            f"{', '.join(under_way[:5])}. Wait until it has ended, or end it (`tally job cancel`)"
        )
    unsent = {one.recipient for one in party.log.undelivered_counts() if one.state == "pending"}
    if unsent:
        raise RotationError(
            f"{party.name} has events that {', '.join(sorted(unsent))} has not got yet: let it run "
            "(`tally party run`) until `tally party status` shows none, then change its keys"
        )


def _time(transaction: LogTransaction, party: Party) -> str:
    """Later than everything that was signed with the old key."""
    newest = transaction.newest_time_of(party.name)
    after = datetime.fromisoformat(newest) + INSTANT if newest else datetime.min.replace(tzinfo=UTC)
    return format_time(max(datetime.now(UTC), after))


def _terms(party: Party, other: str) -> RotationTerms:
    own, card = Member(name=party.name, role=party.role), party.trusted.card(other)
    members = (own,) if card is None else (own, Member(name=other, role=card.role))
    return RotationTerms(issuer=party.name, members=members)


def _append(
    transaction: LogTransaction, party: Party, event: KeyRotated, other: str, time: str
) -> Fact[KeyRotated]:
    stored = StoredDraft(Draft(event, rotation_stream(event.retired, other)), ())
    fact = append_draft(transaction, party, stored, Causes(at=time), event.terms)
    return Fact(fact.envelope, event)
