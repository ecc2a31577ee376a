"""A log as an auditor has it: read-only, from an export file, a party's folder or a database."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

from audit.errors import CardError
from audit.key_checks import rotations_in
from audit.payload_files import PayloadFiles
from events.card import PartyCard
from events.card_history import CardHistory, follow, histories
from events.catalogue import Fact
from events.checkpoint import SignedCheckpoint
from events.rotation import KeyRotated
from store.entry import Entry, Refusal


@dataclass(frozen=True)
class Scope:
    """What part of a party's log is at hand: of one job or of all, with private events or not."""

    job: str | None = None
    private: bool = True

    @property
    def is_whole(self) -> bool:
        return self.job is None and self.private


@dataclass(frozen=True)
class EarlierTree:
    """A checkpoint that the party gave before, and the proof that its log goes on from there."""

    size: int
    root: bytes
    consistency: tuple[bytes, ...]


@dataclass(frozen=True)
class TreeEvidence:
    """How the events of an export stand in the tree of the whole log.

    `omitted` gives, by first leaf and end, the roots of those subtrees of which no leaf is there.
    """

    checkpoint: SignedCheckpoint | None
    size: int
    root: bytes
    omitted: Mapping[tuple[int, int], bytes]
    earlier: tuple[EarlierTree, ...]


@dataclass(frozen=True)
class LogCopy:
    """`cards` are by party; `own_cards` tells that they came with the log, and nobody vouches.

    `of_type` finds events faster than by reading all, where the log's place can.
    """

    place: str
    party: str
    cards: Mapping[str, PartyCard]
    own_cards: bool
    head: int
    scope: Scope
    entries: Callable[[], Iterator[Entry]] = field(repr=False)
    payloads: PayloadFiles = field(repr=False)
    sealed: PayloadFiles | None = field(default=None, repr=False)
    refusals: tuple[Refusal, ...] = ()
    evidence: TreeEvidence | None = None
    views: str | None = None
    of_type: Callable[[str], Iterable[Entry]] | None = field(default=None, repr=False)
    close: Callable[[], None] = field(default=lambda: None, repr=False)

    @cached_property
    def rotations(self) -> list[Fact[KeyRotated]]:
        """The changes of keys that the log tells of."""
        kind = KeyRotated.type_name()
        return rotations_in(self.entries() if self.of_type is None else self.of_type(kind))

    @cached_property
    def histories(self) -> dict[str, CardHistory]:
        """The cards by party, with those before and after."""
        return histories(self.cards, self.rotations)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def with_given_cards(copy: LogCopy, given: Iterable[PartyCard]) -> dict[str, PartyCard]:
    """The cards that came with a log and those that the auditor brings, which must agree.

    They do where the log tells how the one became the other.
    """
    cards = dict(copy.cards)
    for card in given:
        history = follow(card, copy.rotations)
        if cards.setdefault(card.name, history.current) not in history.cards:
            raise CardError(
                f"the card of {card.name} is not the one that came with the log: given "
                f"{card.fingerprint}, found {cards[card.name].fingerprint}. Either the log is of "
                "another federation or from before a change of keys (give the card of that time), "
                "or somebody put keys in place of others"
            )
        cards[card.name] = history.current
    return cards
