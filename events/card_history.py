"""Which key is a party's at which time: its cards in their order, from what it said itself."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping

from events.card import PartyCard
from events.catalogue import Fact
from events.envelope import Time, verify_signature
from events.errors import SignatureError
from events.rotation import KeyRotated
from events.vocabulary import Frozen


class RetiredCard(Frozen):
    """A card whose keys were the party's up to and at this time."""

    card: PartyCard
    until: Time


class CardHistory(Frozen):
    """A party's card as it is now, and those before it, the oldest first."""

    current: PartyCard
    retired: tuple[RetiredCard, ...] = ()

    @property
    def since(self) -> str:
        """When the keys changed last; empty if they never did."""
        return self.retired[-1].until if self.retired else ""

    @property
    def cards(self) -> tuple[PartyCard, ...]:
        return (*(one.card for one in self.retired), self.current)

    def at(self, time: str) -> PartyCard:
        """The card whose keys sign what is dated so."""
        if time > self.since:
            return self.current
        return self.retired[bisect_left(self.retired, time, key=lambda one: one.until)].card

    def before(self, card: PartyCard) -> "CardHistory":
        """As it was while this one of the cards was the current one."""
        place = self.cards.index(card)
        return CardHistory(current=card, retired=self.retired[:place])

    def rotated(self, fact: Fact[KeyRotated]) -> "CardHistory":
        """With one more card, that the current one vouches for."""
        last = RetiredCard(card=self.current, until=fact.envelope.time)
        return CardHistory(current=fact.event.card, retired=(*self.retired, last))


def hands_over(fact: Fact[KeyRotated]) -> bool:
    """Whether the old key says that the new one follows, and the new key that the old one was."""
    old, new, time = fact.event.retired, fact.event.card, fact.envelope.time
    if {old.name, new.name} != {fact.source} or old.role is not new.role:
        return False
    if old.signing_key == new.signing_key or fact.event.terms.issuer != fact.source:
        return False
    try:
        verify_signature(fact.envelope, old.verifying_key())
    except SignatureError:
        return False
    return fact.event.is_proven(time)


def successor_fault(fact: Fact[KeyRotated], history: CardHistory | None) -> str:
    """Why a change of keys that is signed as it should be is none; empty if it is one."""
    if not hands_over(fact):
        return "hands over to keys that do not say so themselves"
    if history is not None and fact.event.card not in history.cards:
        return f"is a second successor of a card of {fact.source}"
    return ""


def follow(known: PartyCard, rotations: Iterable[Fact[KeyRotated]]) -> CardHistory:
    """From one card that is believed to all before and after it, as far as these events lead."""
    genuine = [one for one in rotations if one.source == known.name and hands_over(one)]
    earlier: list[RetiredCard] = []
    oldest, before = known, ""
    while found := _before(genuine, oldest, before):
        oldest, before = found.event.retired, found.envelope.time
        earlier.insert(0, RetiredCard(card=oldest, until=before))
    history = CardHistory(current=known, retired=tuple(earlier))
    while following := _after(genuine, history):
        history = history.rotated(following)
    return history


def histories(
    cards: Mapping[str, PartyCard], rotations: Iterable[Fact[KeyRotated]]
) -> dict[str, CardHistory]:
    """By party; `cards` are those that are believed, each of them an old one or the newest."""
    told = list(rotations)
    return {name: follow(card, told) for name, card in cards.items()}


def _before(
    rotations: list[Fact[KeyRotated]], card: PartyCard, time: str
) -> Fact[KeyRotated] | None:
    found = (one for one in rotations if one.event.card == card)
    return next((one for one in found if not time or one.envelope.time < time), None)


def _after(rotations: list[Fact[KeyRotated]], history: CardHistory) -> Fact[KeyRotated] | None:
    found = (one for one in rotations if one.event.retired == history.current)
    return next((one for one in found if one.envelope.time > history.since), None)
