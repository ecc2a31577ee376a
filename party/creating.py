"""Making a new party: its folder, its keys, and a party.toml that explains itself."""

import os
import shutil
from pathlib import Path

from events.vocabulary import Role
from party.errors import FolderError
from party.folder import PartyFolder
from party.identity import create_keys
from party.settings import parse_settings
from party.template import settings_text


def create_party(
    path: Path,
    role: Role,
    name: str,
    *,
    broker: str | None = None,
    tables: str = "",
) -> PartyFolder:
    """Make a new party at `path`: keys, empty stores and an annotated party.toml.

    `tables` is TOML ([source], [policy]) that goes in where the examples would stand. The whole
    folder is made or nothing. Raises FolderError where something lies there already, and
    SettingsError for a name or setting that cannot be.
    """
    folder = PartyFolder(path.absolute())
    text = settings_text(role, name, broker, tables)
    parse_settings(text, folder.settings)
    _refuse_occupied(folder.path)
    making = PartyFolder(folder.path.with_name(f".{folder.path.name}.making-{os.getpid()}"))
    try:
        _fill(making, text)
        making.path.rename(folder.path)
    except OSError as error:
        raise FolderError(
            f"the folder {path} cannot be made: {error.strerror}. Choose a place where this user "
            "may write"
        ) from error
    finally:
        shutil.rmtree(making.path, ignore_errors=True)
    return folder


def _fill(folder: PartyFolder, settings: str) -> None:
    folder.path.mkdir(mode=0o700, parents=True)
    for part in (folder.keys, folder.trusted, folder.payloads, folder.spool, folder.models):
        part.mkdir(mode=0o700)
    folder.settings.touch(mode=0o600)
    folder.settings.write_text(settings, encoding="utf-8")
    create_keys(folder.keys)


def _refuse_occupied(path: Path) -> None:
    try:
        occupied = path.exists() and (not path.is_dir() or any(path.iterdir()))
    except OSError as error:
        raise FolderError(f"{path} cannot be looked into: {error.strerror}") from error
    if occupied:
        raise FolderError(f"{path} exists and is not empty: a new party needs a folder of its own")
