"""The party's folder: who may read it, whether its keys and cards are whole, room on the disk."""

import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from events.card import PartyCard
from events.vocabulary import DATA_ROLES, Role
from party.doctor.finding import Finding, explained, failing, warning, well
from party.errors import KeyFileError, TrustError
from party.folder import PartyFolder
from party.identity import read_identity
from party.opening import read_private_key
from party.settings import PartySettings
from party.trust import TrustedCards

LITTLE_SPACE, NO_SPACE = 2 << 30, 100 << 20
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def check_permissions(folder: PartyFolder) -> Iterator[Finding]:
    """The folder and what is secret in it are for one user alone."""
    secrets = [folder.settings, *sorted(folder.keys.rglob("*"))]
    secrets += [file for file in (folder.log, folder.views) if file.exists()]
    open_files = [path for path in secrets if _is_open(path) and not _is_public(path)]
    for path in open_files:
        is_key = folder.keys in path.parents
        mode = "700" if path.is_dir() else "600"
        say = failing if is_key else warning
        yield say("permissions", f"{path} can be read by other users", f"chmod {mode} {path}")
    if _is_open(folder.path):
        what = f"{folder.path} is open to other users"
        yield warning("permissions", what, f"chmod 700 {folder.path}")
    elif not open_files:
        yield well("permissions", "nothing secret can be read by other users")


def check_keys(folder: PartyFolder, settings: PartySettings) -> Iterator[Finding]:
    try:
        card = read_identity(folder.keys).card(settings.name, settings.role)
        keys = sorted((folder.keys / "paillier").glob("*.json"))
        for file in keys:
            read_private_key(folder, file.stem)
    except KeyFileError as error:
        yield explained("keys", error)
        return
    held = f", {len(keys)} decryption keys" if settings.role is Role.ARBITER else ""
    yield well("keys", f"whole{held}; fingerprint {card.fingerprint}")


def check_cards(folder: PartyFolder) -> Iterator[Finding]:
    try:
        trusted = TrustedCards(folder.trusted)
        cards = list(trusted)
    except TrustError as error:
        yield explained("cards", error)
        return
    if not cards:
        remedy = f"tally party trust {folder.path} CARD..."
        yield warning("cards", "no other party is trusted", remedy)
    else:
        names = ", ".join(f"{card.name} ({card.role}{_new_keys(trusted, card)})" for card in cards)
        yield well("cards", f"trusts {names}")


def _new_keys(trusted: TrustedCards, card: PartyCard) -> str:
    history = trusted.history(card.name)
    return f", new keys since {history.since}" if history is not None and history.retired else ""


def check_disk(folder: PartyFolder) -> Iterator[Finding]:
    free = shutil.disk_usage(folder.path).free
    what = f"{free / (1 << 30):.1f} GiB free at {folder.path}"
    remedy = "free some, or prune old payloads: tally payloads prune --as DIR --older-than 90d"
    if free < NO_SPACE:
        yield failing("disk", what, remedy)
    elif free < LITTLE_SPACE:
        yield warning("disk", what, remedy)
    else:
        yield well("disk", what)


def check_source(folder: PartyFolder, settings: PartySettings) -> Iterator[Finding]:
    """Whether a file that [source] names is there; a query is tried when a job comes."""
    source = settings.source
    if source is None and settings.role in DATA_ROLES:
        remedy = f"name its data in {folder.settings}, unless a mart delivers it"
        yield warning("data", "no [source]: this party has no data to train on", remedy)
    if source is None or source.file is None:
        return
    file = folder.path / source.file
    if file.is_file():
        yield well("data", f"{file} is there")
    else:
        yield failing("data", f"{file} is not there", f"correct [source] in {folder.settings}")


def _is_open(path: Path) -> bool:
    return bool(path.stat().st_mode & OTHERS)


def _is_public(path: Path) -> bool:
    """Certificates are for everybody to see; of folders only the keys' own matters."""
    return path.suffix == ".pem" or path.is_dir()
