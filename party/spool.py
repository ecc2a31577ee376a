"""Files on their way: chunks that came, and sealed payloads until every reader has them."""

import contextlib
import os
import shutil
import time
from collections.abc import Container, Iterable
from pathlib import Path

from events.envelope import Envelope, PayloadReference
from party.errors import Reason, RefusalError
from party.sealing import Sealed, SealedFile, seal, seal_bytes, sealed_file
from party.transport import ChunkPlace, SealedPayload
from store.failures import disk_failures
from store.files import synchronise_folder
from store.payloads import SALT_BYTES, PayloadStore
from store.small_payloads import LARGEST_SMALL

MAXIMUM_UNFINISHED = 2000
MAXIMUM_BYTES = 64 * 2**30  # a round of 3,000 variables and a million customers needs a few
FORGOTTEN_SECONDS = 30 * 24 * 3600


class ReceivedChunks:
    """received/SENDER/DIGEST/INDEX: a sender can only ever disturb its own payloads.

    It has room here for MAXIMUM_UNFINISHED of them and MAXIMUM_BYTES. One process writes here.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "received"
        self._opened = folder / "opened"
        self._bytes: dict[str, int] = {}
        with disk_failures(folder):
            shutil.rmtree(self._opened, ignore_errors=True)
            self._opened.mkdir(mode=0o700, parents=True)
            self._folder.mkdir(mode=0o700, exist_ok=True)

    def keep(self, sender: str, place: ChunkPlace, body: bytes) -> None:
        """On the disk when this returns. Raises RefusalError when the sender has too much."""
        folder = self._folder / sender / place.digest
        with disk_failures(self._folder):
            chunk = folder / str(place.index)
            grows = len(body) - (chunk.stat().st_size if chunk.is_file() else 0)
            if not self._has_room(folder, grows):
                raise RefusalError(Reason.SPOOL_FULL, sender)
            if not folder.is_dir():
                self._make(folder)
            unfinished = folder / f"{place.index}.new"
            with unfinished.open("wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(chunk)
            self._bytes[sender] += grows
            synchronise_folder(folder)

    def complete(self, sender: str, digest: str, chunks: int) -> bool:
        folder = self._folder / sender / digest
        return all((folder / str(index)).is_file() for index in range(chunks))

    def has_room(self, sender: str, payload: SealedPayload) -> bool:
        """Whether the chunks of this payload that are still missing would be taken."""
        folder = self._folder / sender / payload.digest
        with disk_failures(self._folder):
            return self._has_room(folder, payload.size - _bytes_in(folder))

    def pieces(self, sender: str, payload: SealedPayload) -> list[Path]:
        """The chunks of a sealed payload that is complete."""
        folder = self._folder / sender / payload.digest
        return [folder / str(index) for index in range(payload.chunks)]

    def opened_file(self, commitment: str) -> Path:
        """Where a payload is unsealed to, before the payload store takes it."""
        return self._opened / commitment

    def discard(self, sender: str, digest: str) -> None:
        folder = self._folder / sender / digest
        if not folder.exists():  # small payloads come without
            return
        before = _bytes_in(folder)
        _remove(folder)
        if sender in self._bytes:
            self._bytes[sender] -= before - _bytes_in(folder)

    def sweep(self, wanted: Container[tuple[str, str]]) -> None:
        """Remove what came long ago and no held envelope waits for, by (sender, digest)."""
        newest = time.time() - FORGOTTEN_SECONDS
        for folder in self._folder.glob("*/*"):
            key = (folder.parent.name, folder.name)
            if key not in wanted and folder.stat().st_mtime < newest:
                self.discard(*key)

    def _has_room(self, folder: Path, grows: int) -> bool:
        sender = folder.parent
        if sender.name not in self._bytes:
            self._bytes[sender.name] = sum(map(_bytes_in, sender.glob("*")))
        if self._bytes[sender.name] + grows > MAXIMUM_BYTES:
            return False
        return folder.is_dir() or sum(1 for _ in sender.glob("*")) < MAXIMUM_UNFINISHED

    def _make(self, folder: Path) -> None:
        sender = folder.parent
        sender.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700)
        synchronise_folder(sender)


class SealedPayloads:
    """sealed/EVENT/NAME/DIGEST: each payload sealed once, the same bytes for all its readers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "sealed"
        self._known: dict[tuple[str, str], Sealed] = {}

    def get(
        self,
        envelope: Envelope,
        reference: PayloadReference,
        payloads: PayloadStore,
        keys: Iterable[str],
    ) -> Sealed:
        """The sealed payload; `keys` are the age keys of its readers."""
        key = (envelope.id, reference.name)
        if key not in self._known and SALT_BYTES + reference.size <= LARGEST_SMALL:
            salted = payloads.salted(reference.commitment)
            self._known[key] = seal_bytes(salted, list(keys))
        elif key not in self._known:
            folder = self._folder / envelope.id / reference.name
            source = payloads.salted_file(reference.commitment)
            self._known[key] = sealed_file(folder) or seal(source, folder, list(keys))
        return self._known[key]

    def discard(self, event_id: str) -> None:
        """Every reader has the payloads of this event."""
        sealed = [self._known.pop(key) for key in list(self._known) if key[0] == event_id]
        if any(isinstance(one, SealedFile) for one in sealed):
            shutil.rmtree(self._folder / event_id, ignore_errors=True)

    def discard_all_but(self, event_ids: Container[str]) -> None:
        for folder in self._folder.glob("*"):
            if folder.name not in event_ids:
                shutil.rmtree(folder, ignore_errors=True)


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*") if path.suffix != ".new")


def _remove(folder: Path) -> None:
    """A folder of plain files; what cannot be removed now is swept up later."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
