"""Whom a party believes: the cards of others, accepted by hand, one file each."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError
from pyrage import RecipientError, x25519

from events.card import PartyCard
from events.card_history import CardHistory
from events.catalogue import Fact
from events.rotation import KeyRotated
from party.errors import TrustError


def read_card(path: Path) -> PartyCard:
    """Parse a card file. Raises TrustError: not a card, or keys that cannot be keys."""
    try:
        card = PartyCard.model_validate_json(path.read_bytes())
        Ed25519PublicKey.from_public_bytes(base64.b64decode(card.signing_key, validate=True))
        x25519.Recipient.from_str(card.sealing_key)
    except OSError as error:
        raise TrustError(f"the card {path} cannot be read: {error.strerror}") from error
    except (ValidationError, ValueError, RecipientError):
        raise TrustError(
            f"{path} is not a party's card: ask its owner for the output of `tally party card`"
        ) from None
    return card


class TrustedCards:
    """The folder of trusted cards; a card added while the party runs is seen at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, tuple[int, CardHistory]] = {}

    def card(self, name: str) -> PartyCard | None:
        """The trusted card of this name, if there is one. Raises TrustError when it is damaged."""
        history = self.history(name)
        return history.current if history is not None else None

    def history(self, name: str) -> CardHistory | None:
        """The same, with the cards that it followed. Raises TrustError when one is damaged."""
        path = self._path(name)
        try:
            modified = path.stat().st_mtime_ns
        except OSError:
            return None
        known = self._read.get(name)
        if known is None or known[0] != modified:
            card = read_card(path)
            if card.name != name:
                raise TrustError(f"{path} holds the card of {card.name}: give it that name")
            known = self._read[name] = (modified, self._with_retired(card))
        return known[1]

    def __iter__(self) -> Iterator[PartyCard]:
        """All trusted cards, by name."""
        for path in sorted(self._folder.glob("*.json")):
            if (card := self.card(path.stem)) is not None:
                yield card

    def add(self, own_name: str, paths: list[Path]) -> list[PartyCard]:
        """Trust the cards in these files, all of them or none.

        Raises TrustError: not a card, this party's own name, or a known name with other keys.
        """
        cards = [read_card(path) for path in paths]
        for card in cards:
            if card.name == own_name:
                raise TrustError(
                    f"{own_name} is this party's own name: another party needs another"
                )
            self._refuse_changed(card, self.card(card.name))
        by_name: dict[str, PartyCard] = {}
        for card in cards:
            self._refuse_changed(card, by_name.setdefault(card.name, card))
        for card in by_name.values():
            self._store(card)
        return cards

    def follow(self, fact: Fact[KeyRotated]) -> None:
        """Trust the new card, which the trusted one vouches for; the same again changes nothing."""
        known = self.history(fact.source)
        if known is not None and known.current == fact.event.retired:
            self._write(self._retired(fact.source), known.rotated(fact).model_dump_json(indent=2))
            self._store(fact.event.card)

    def _with_retired(self, card: PartyCard) -> CardHistory:
        """A card that takes its name's place by hand has nothing to do with those before it.

        One that was not replaced yet when the party was killed is the current one still.
        """
        path = self._retired(card.name)
        try:
            history = CardHistory.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return CardHistory(current=card)
        except (OSError, ValidationError):
            raise TrustError(f"{path} is damaged: restore it from a backup") from None
        return history.before(card) if card in history.cards else CardHistory(current=card)

    def _refuse_changed(self, card: PartyCard, known: PartyCard | None) -> None:
        if known is None or known == card:
            return
        raise TrustError(
            f"{card.name} is already trusted with another card: known {known.fingerprint} "
            f"({known.role}), offered {card.fingerprint} ({card.role}). Compare with its owner; "
            f"if the change is meant, remove {self._path(card.name)} first"
        )

    def _store(self, card: PartyCard) -> None:
        self._write(self._path(card.name), card.model_dump_json(indent=2))

    def _write(self, path: Path, text: str) -> None:
        unfinished = path.with_suffix(".new")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with unfinished.open("w", encoding="utf-8") as file:
                file.write(f"{text}\n")
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        except OSError as error:
            raise TrustError(f"{path} cannot be kept: {error.strerror}") from error

    def _retired(self, name: str) -> Path:
        return self._folder / "retired" / f"{name}.json"

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"
