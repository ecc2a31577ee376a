"""Opening a log for an audit, whatever it is: an export file, a party's folder, a database."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from zipfile import is_zipfile

from audit.database_copy import DatabaseCopy
from audit.errors import CardError, LogPlaceError
from audit.export_file import open_export
from audit.log_copy import LogCopy, Scope, with_given_cards
from audit.payload_files import FolderPayloads
from events.card import PartyCard
from events.vocabulary import PRIVATE_STREAM
from party.errors import KeyFileError
from party.folder import PartyFolder
from party.identity import read_identity
from party.projecting import views_address
from party.settings import PartySettings, log_address, read_settings
from party.trust import TrustedCards

NO_PAYLOADS = Path("no payloads come with a database")


def open_log(place: str, cards: Sequence[PartyCard] = (), payloads: Path | None = None) -> LogCopy:
    """Open it to read only. `cards` are those that the auditor got from their owners.

    `payloads` is a folder of payloads for a database address. Raises AuditError, PartyError,
    StoreError.
    """
    path = Path(place)
    if "://" in place:
        copy = _database(place, cards, payloads)
    elif path.is_dir():
        copy = _folder(path)
    elif path.is_file() and is_zipfile(path):
        copy = open_export(path)
    elif path.is_file() and _begins_as_zip(path):
        raise LogPlaceError(f"{place} is cut short: ask for the whole file once more")
    else:
        raise LogPlaceError(
            f"{place} is no log: name a file of `tally log export`, a party's folder, or a "
            "database address"
        )
    try:
        known = with_given_cards(copy, cards)
    except CardError:
        copy.close()
        raise
    names = {card.name for card in cards}
    return replace(copy, cards=known, own_cards=not names.issuperset(known))


def _begins_as_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def known_cards(folder: PartyFolder, settings: PartySettings) -> dict[str, PartyCard]:
    """The cards that a party trusts, and its own as far as its keys are there."""
    cards = {card.name: card for card in TrustedCards(folder.trusted)}
    with contextlib.suppress(KeyFileError):  # of a copy without secrets the auditor has the card
        cards[settings.name] = read_identity(folder.keys).card(settings.name, settings.role)
    return cards


def _folder(path: Path) -> LogCopy:
    """Only what an auditor needs is read."""
    folder = PartyFolder(path.absolute())
    settings = read_settings(folder)
    database = DatabaseCopy(log_address(settings, folder))
    return LogCopy(
        place=str(path),
        party=settings.name,
        cards=known_cards(folder, settings),
        own_cards=True,
        head=database.head,
        scope=Scope(),
        entries=database.entries,
        payloads=FolderPayloads(folder.payloads, database.kept_payloads),
        sealed=FolderPayloads(folder.sealed),
        refusals=database.refusals(),
        views=views_address(settings, folder),
        of_type=database.of_type,
        close=database.close,
    )


def _database(url: str, cards: Sequence[PartyCard], payloads: Path | None) -> LogCopy:
    database = DatabaseCopy(url)
    party = _owner(database, cards)
    return LogCopy(
        place=url.rpartition("@")[2] if "@" in url else url,
        party=party,
        cards={},
        own_cards=False,
        head=database.head,
        scope=Scope(),
        entries=database.entries,
        payloads=FolderPayloads(payloads or NO_PAYLOADS, database.kept_payloads),
        refusals=database.refusals(),
        of_type=database.of_type,
        close=database.close,
    )


def _owner(database: DatabaseCopy, cards: Sequence[PartyCard]) -> str:
    """Whose log it is: private events are its owner's alone."""
    for entry in database.entries():
        if entry.envelope.stream == PRIVATE_STREAM:
            return entry.envelope.source
    if len(cards) == 1:
        return cards[0].name
    raise LogPlaceError(
        "the database does not tell whose log it holds, as no event in it is private: name the "
        "party's folder instead"
    )
