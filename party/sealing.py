"""Payloads under seal: age files (X25519 and ChaCha20-Poly1305) that only their readers open.

What is sealed is the salted file of the payload store, so the commitment in the signed envelope
binds what comes out again. File to file: never whole in memory.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pyrage

from party.errors import SealingError
from store.failures import disk_failures

UNFINISHED = "unfinished"


@dataclass(frozen=True)
class SealedFile:
    """Sealed bytes, named by their SHA-256 in the folder they lie in."""

    path: Path
    size: int

    @property
    def digest(self) -> str:
        return self.path.name

    def open(self) -> BinaryIO:
        return self.path.open("rb")


@dataclass(frozen=True)
class SealedBytes:
    """A small payload's sealed bytes, named as those in files are."""

    content: bytes

    @property
    def size(self) -> int:
        return len(self.content)

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def open(self) -> BinaryIO:
        return BytesIO(self.content)


Sealed = SealedFile | SealedBytes


class HashingReader:
    """The bytes of several pieces, in files or here, hashed and counted as they are read."""

    def __init__(self, pieces: Sequence[Path | bytes]) -> None:
        self._pieces = list(pieces)
        self._file: BinaryIO | None = None
        self._hash = hashlib.sha256()
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        while True:
            if self._file is None:
                if not self._pieces:
                    return b""
                piece = self._pieces.pop(0)
                self._file = BytesIO(piece) if isinstance(piece, bytes) else piece.open("rb")
            if block := self._file.read(size):
                self._hash.update(block)
                self.size += len(block)
                return block
            self._file.close()
            self._file = None

    def read_all(self, most: int) -> bytes:
        """Everything, or `most` bytes and one more where there are too many."""
        content = b""
        while len(content) <= most and (block := self.read(most + 1 - len(content))):
            content += block
        return content

    def digest(self) -> str:
        """Of everything, also of what nobody has asked for yet."""
        while self.read(1 << 20):
            pass
        return self._hash.hexdigest()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._pieces.clear()


class HashingWriter:
    """A file that is hashed as it is written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, block: bytes) -> int:
        self._hash.update(block)
        self.size += len(block)
        return self._file.write(block)

    def flush(self) -> None:
        self._file.flush()

    def digest(self) -> str:
        return self._hash.hexdigest()


def seal(source: Path, folder: Path, recipients: Sequence[str]) -> SealedFile:
    """Seal a file to all recipients (age keys) at once, into `folder`, under its digest's name."""
    unfinished = folder / UNFINISHED
    readers = [pyrage.x25519.Recipient.from_str(key) for key in recipients]
    with disk_failures(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with source.open("rb") as plain, unfinished.open("wb") as file:
            writer = HashingWriter(file)
            pyrage.encrypt_io(plain, writer, readers)
        sealed = SealedFile(folder / writer.digest(), writer.size)
        unfinished.replace(sealed.path)
    return sealed


def seal_bytes(content: bytes, recipients: Sequence[str]) -> SealedBytes:
    """Seal a small payload's salted bytes to all recipients (age keys) at once."""
    readers = [pyrage.x25519.Recipient.from_str(key) for key in recipients]
    return SealedBytes(pyrage.encrypt(content, readers))


def sealed_file(folder: Path) -> SealedFile | None:
    """What was sealed into this folder before, if its bytes are still those of its name."""
    for path in folder.glob("?" * 64):
        with disk_failures(folder), path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == path.name:
                return SealedFile(path, path.stat().st_size)
    return None


def unseal(
    source: HashingReader, target: Path, identities: Sequence[pyrage.x25519.Identity]
) -> None:
    """Open a sealed payload with one of these keys.

    Raises SealingError: not for this party, damaged, or cut short.
    """
    with disk_failures(target):
        try:
            with target.open("wb") as file:
                pyrage.decrypt_io(source, file, list(identities))
        except (pyrage.DecryptError, OSError) as error:
            if getattr(error, "errno", None) is not None:
                raise  # the disk, not the seal
            raise SealingError(f"a sealed payload does not open: {error}") from error


def unseal_bytes(sealed: bytes, identities: Sequence[pyrage.x25519.Identity]) -> bytes:
    """As `unseal`, of what fits into memory. Raises SealingError."""
    try:
        return bytes(pyrage.decrypt(sealed, list(identities)))
    except pyrage.DecryptError as error:
        raise SealingError(f"a sealed payload does not open: {error}") from error
