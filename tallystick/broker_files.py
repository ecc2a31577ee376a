"""What an administrator loads into RabbitMQ for one federation, written to a folder."""

import json
import os
import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bus.definitions import Limits, federation_definitions
from events.card import PartyCard
from party.identity import read_secret, write_secret
from party.trust import read_card
from tallystick.errors import BrokerFilesError

PASSWORD_BYTES = 24
DEFINITIONS = "definitions.json"


@dataclass(frozen=True)
class PartyLogin:
    """How one party logs in; without a password file, by its certificate."""

    card: PartyCard
    password_file: Path | None


def read_cards(paths: Iterable[Path]) -> list[PartyCard]:
    """The cards of a federation, by name. Raises TrustError, BrokerFilesError: a name twice."""
    cards: dict[str, PartyCard] = {}
    for path in paths:
        card = read_card(path)
        if cards.setdefault(card.name, card) != card:
            raise BrokerFilesError(
                f"two different cards are named {card.name}: ask its owner which of them holds"
            )
    return [cards[name] for name in sorted(cards)]


def write_definitions(
    out: Path, cards: Sequence[PartyCard], by_password: Collection[str], limits: Limits
) -> list[PartyLogin]:
    """Write `definitions.json` and a password file for each of `by_password`.

    A password that lies there is kept, so that a second run changes nothing. Raises
    BrokerFilesError before anything is written: no such party.
    """
    names = [card.name for card in cards]
    if strangers := sorted(set(by_password) - set(names)):
        raise BrokerFilesError(f"no card of {', '.join(strangers)} is given: add --card FILE")
    federation_definitions(dict.fromkeys(names), limits)
    out.mkdir(parents=True, exist_ok=True)
    files = {name: out / "passwords" / f"{name}.password" for name in by_password}
    passwords = {name: _password(file) for name, file in files.items()}
    logins = {name: passwords.get(name) for name in names}
    document = json.dumps(federation_definitions(logins, limits), indent=2)
    replace_file(out / DEFINITIONS, f"{document}\n".encode())
    return [PartyLogin(card, files.get(card.name)) for card in cards]


def replace_file(path: Path, content: bytes) -> None:
    """All of it or what was there before."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _password(file: Path) -> str:
    if not file.exists():
        file.parent.mkdir(mode=0o700, exist_ok=True)
        write_secret(file, f"{secrets.token_urlsafe(PASSWORD_BYTES)}\n".encode())
    return read_secret(file).decode().strip()
