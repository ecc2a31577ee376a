"""A log as an auditor has it: read-only, from an export file, a party's folder or a database."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

from audit.errors import CardError
from audit.payload_files import PayloadFiles
from events.card import PartyCard
from events.checkpoint import SignedCheckpoint
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
    """`cards` are by party; `own_cards` tells that they came with the log, and nobody vouches."""

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
    close: Callable[[], None] = field(default=lambda: None, repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def with_given_cards(
    own: Mapping[str, PartyCard], given: Iterable[PartyCard]
) -> dict[str, PartyCard]:
    """The cards that came with a log and those that the auditor brings, which must agree."""
    cards = dict(own)
    for card in given:
        if cards.setdefault(card.name, card) != card:
            raise CardError(
                f"the card of {card.name} is not the one that came with the log: given "
                f"{card.fingerprint}, found {cards[card.name].fingerprint}. Either the log is of "
                "another federation, or somebody put keys in place of others"
            )
    return cards
