"""New keys take the place of the old ones on the disk: either all of it is done, or nothing.

The new pair lies ready in a folder of its own before the log says anything. What the log says then
decides: a rotation that was killed is finished, or undone, when the party is opened next.
"""

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path

from events.card import PartyCard
from events.card_history import CardHistory
from party.errors import BusyError
from party.folder import PartyFolder
from party.identity import (
    CARDS,
    RETIRED,
    SEALING,
    SIGNING,
    Identity,
    create_pair,
    mark_of,
    public_text,
    read_sealing_key,
    read_secret,
    read_signing_key,
    write_secret,
)

NEXT = "next"


def next_keys(keys: Path) -> Path:
    """Where the new pair lies while a rotation is under way."""
    return keys / NEXT


def next_signing_key(keys: Path) -> str | None:
    """The public part of the one that lies ready, as on a card; None where there is none."""
    path = next_keys(keys) / SIGNING
    return public_text(read_signing_key(path)) if path.exists() else None


def prepare_next(keys: Path, identity: Identity) -> Identity:
    """Make the new pair; it counts for nothing yet."""
    making = keys / f".{NEXT}-{os.getpid()}"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    create_pair(making)
    making.rename(next_keys(keys))
    _sync(keys)
    signing = read_signing_key(next_keys(keys) / SIGNING)
    sealing = read_sealing_key(next_keys(keys) / SEALING)
    return replace(identity, signing=signing, sealing=sealing)


def discard_next(keys: Path) -> None:
    """The log says nothing of these keys: nobody ever will."""
    shutil.rmtree(next_keys(keys), ignore_errors=True)


def install_next(keys: Path, retired: PartyCard, history: CardHistory) -> None:
    """The new pair is the party's, the old signing key is gone; again and again, if need be.

    The old sealing key stays, for what is on its way still.
    """
    fresh, kept = next_keys(keys), keys / RETIRED
    kept.mkdir(mode=0o700, exist_ok=True)
    if (fresh / SEALING).exists():
        old = kept / f"{hashlib.sha256(retired.sealing_key.encode()).hexdigest()[:16]}.key"
        if not old.exists():
            unfinished = old.with_suffix(".new")
            unfinished.unlink(missing_ok=True)
            write_secret(unfinished, read_secret(keys / SEALING))
            unfinished.replace(old)
        _write_history(kept / CARDS, history)
        _sync(kept)
        (fresh / SEALING).replace(keys / SEALING)
    if (fresh / SIGNING).exists():
        (fresh / SIGNING).replace(keys / SIGNING)
    _sync(keys)
    fresh.rmdir()


def check_unchanged(folder: PartyFolder, identity: Identity) -> None:
    """Before anything is signed. Raises BusyError: the keys were changed, or just are."""
    if mark_of(folder.keys) != identity.mark or next_keys(folder.keys).exists():
        raise BusyError(
            f"the keys in {folder.keys} have been changed since this began: begin again"
        )


def _write_history(path: Path, history: CardHistory) -> None:
    unfinished = path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    write_secret(unfinished, f"{history.model_dump_json(indent=2)}\n".encode())
    unfinished.replace(path)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
