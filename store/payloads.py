"""Payloads by their commitment: files that hold salt ‖ plaintext, named by their SHA-256.

The envelope commits to exactly this digest (requirements D1; design, Events), so a file's name
proves its content, the same payload is stored once, and a file is final once it has its name.
"""

import contextlib
import errno
import hashlib
import math
import os
import re
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import DTypeLike, NDArray

from store.errors import CommitmentError, PayloadMissingError
from store.failures import disk_failures

SALT_BYTES = 32
LARGEST_SMALL = 16 * 1024  # of salt ‖ plaintext that may be placed
CHUNK_BYTES = 1 << 20
ABANDONED_SECONDS = 24 * 3600
COMMITMENT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class StoredPayload:
    """What an envelope says of a payload: its commitment, and the plaintext's size in bytes."""

    commitment: str
    size: int


class PayloadStore:
    """A folder of payloads, for one party; several threads and processes may share it.

    Raises StoreFullError, StoreReadOnlyError, StoreUnreachableError; a failure leaves no file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._incoming = folder / "incoming"
        self._lasting: set[Path] = set()
        with disk_failures(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._incoming.mkdir(mode=0o700, exist_ok=True)
            self._remove_abandoned()

    def put(self, salt: bytes, chunks: Iterable[bytes]) -> StoredPayload:
        """Store salt ‖ plaintext, the plaintext as it comes; on the disk when this returns."""
        if len(salt) != SALT_BYTES:
            raise CommitmentError(f"a salt has {SALT_BYTES} bytes, this one {len(salt)}")
        return self._write(salt, chunks)

    def place(self, salted: bytes) -> StoredPayload:
        """A small payload's salt ‖ plaintext as a file that a power failure may still take.

        Its bytes belong into the transaction of the event that names it (`keep_payloads`), which is
        forced to the disk anyway; `settle` makes up for it later.
        """
        stored = StoredPayload(hashlib.sha256(salted).hexdigest(), len(salted) - SALT_BYTES)
        target = self._path(stored.commitment)
        if not target.is_file():
            self._write_whole(target, salted)
        return stored

    def settle(self, kept: Sequence[tuple[str, bytes]]) -> None:
        """These placed payloads are on the disk when this returns; what was lost is put again."""
        self.restore(kept)
        paths = [self._path(commitment) for commitment, _ in kept]
        with disk_failures(self.folder):
            for path in paths:
                with path.open("rb") as file:
                    os.fsync(file.fileno())
            for folder in (self.folder, *{path.parent for path in paths}):
                _synchronise_folder(folder)

    def restore(self, kept: Sequence[tuple[str, bytes]]) -> None:
        """Place again what a power failure took or damaged."""
        for commitment, salted in kept:
            path = self._path(commitment)
            if not path.is_file() or path.read_bytes() != salted:
                self._write_whole(path, salted)

    def adopt(self, path: Path, commitment: str) -> StoredPayload:
        """Take in a received file of salt ‖ plaintext, if it is what the commitment says.

        The file is moved, and stays where it is when CommitmentError is raised.
        """
        target = self._path(commitment)
        with disk_failures(path):
            size = path.stat().st_size
            if size < SALT_BYTES or _digest_of_file(path) != commitment:
                raise _other_bytes(commitment)
        with disk_failures(self.folder):
            try:
                path.chmod(0o600)
                with path.open("rb") as file:
                    os.fsync(file.fileno())
                self._place(path, target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                with path.open("rb") as file:  # from another disk: copy
                    self._write(file.read(SALT_BYTES), _chunks_of(file))
                path.unlink()
        return StoredPayload(commitment, size - SALT_BYTES)

    def read(self, commitment: str) -> bytes:
        """The plaintext, checked against its commitment."""
        path = self._existing(commitment)
        with disk_failures(path), path.open("rb") as file:
            digest = hashlib.sha256(file.read(SALT_BYTES))
            plaintext = file.read()
        digest.update(plaintext)
        if digest.hexdigest() != commitment:
            raise _other_bytes(commitment)
        return plaintext

    def open(self, commitment: str) -> BinaryIO:
        """The plaintext as a stream, unchecked (`verify` checks); the caller closes it."""
        path = self._existing(commitment)
        with disk_failures(path):
            file = path.open("rb")
            file.seek(SALT_BYTES)
        return file

    def array(self, commitment: str, dtype: DTypeLike, shape: Sequence[int]) -> NDArray[Any]:
        """The plaintext as a read-only array on the file itself, C order; unchecked as `open`.

        Raises CommitmentError when dtype and shape do not account for every byte.
        """
        path = self._existing(commitment)
        kind = np.dtype(dtype)
        expected = math.prod(shape) * kind.itemsize
        if kind.hasobject or min(shape, default=0) < 0 or self.size(commitment) != expected:
            raise CommitmentError(
                f"payload {commitment[:12]} has {self.size(commitment)} bytes, not the {expected} "
                f"of {kind.name}{list(shape)}"
            )
        if expected == 0:
            empty: NDArray[Any] = np.empty(tuple(shape), kind)
            empty.flags.writeable = False
            return empty
        with disk_failures(path):
            if SALT_BYTES + expected > LARGEST_SMALL:
                return np.memmap(path, kind, mode="r", offset=SALT_BYTES, shape=tuple(shape))
            return np.frombuffer(path.read_bytes(), kind, offset=SALT_BYTES).reshape(shape)

    def salted_file(self, commitment: str) -> Path:
        """The file of salt ‖ plaintext itself, for sealing; read it only."""
        return self._existing(commitment)

    def verify(self, commitment: str) -> None:
        """Hash the file anew. Raises PayloadMissingError, CommitmentError."""
        path = self._existing(commitment)
        with disk_failures(path):
            if _digest_of_file(path) != commitment:
                raise _other_bytes(commitment)

    def has(self, commitment: str) -> bool:
        return self._path(commitment).is_file()

    def size(self, commitment: str) -> int:
        """Bytes of the plaintext."""
        path = self._existing(commitment)
        with disk_failures(path):
            return path.stat().st_size - SALT_BYTES

    def remove(self, commitments: Iterable[str]) -> None:
        """Remove what the log says was pruned; what is not here is left at that."""
        for commitment in commitments:
            path = self._path(commitment)
            with disk_failures(path):
                path.unlink(missing_ok=True)

    def __iter__(self) -> Iterator[str]:
        """Every commitment, sorted."""
        with disk_failures(self.folder):
            names = [path.name for path in self.folder.glob("[0-9a-f][0-9a-f]/*")]
        return iter(sorted(name for name in names if COMMITMENT.fullmatch(name)))

    def _path(self, commitment: str) -> Path:
        if not COMMITMENT.fullmatch(commitment):
            raise CommitmentError("a commitment is 64 hexadecimal digits, in lower case")
        return self.folder / commitment[:2] / commitment

    def _existing(self, commitment: str) -> Path:
        path = self._path(commitment)
        if not path.is_file():
            raise PayloadMissingError(
                f"payload {commitment[:12]} is not here: it was never received, or was removed"
            )
        return path

    def _write(self, salt: bytes, chunks: Iterable[bytes]) -> StoredPayload:
        with disk_failures(self.folder):
            descriptor, name = tempfile.mkstemp(dir=self._incoming)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    digest = hashlib.sha256()
                    for chunk in _with_salt(salt, chunks):
                        digest.update(chunk)
                        file.write(chunk)
                    file.flush()
                    os.fsync(file.fileno())
                    size = file.tell() - SALT_BYTES
                commitment = digest.hexdigest()
                self._place(Path(name), self._path(commitment))
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        return StoredPayload(commitment, size)

    def _write_whole(self, target: Path, salted: bytes) -> None:
        """All of it or nothing, as far as other processes can see."""
        unfinished = self._incoming / f"{target.name}-{os.getpid()}-{threading.get_ident()}"
        with disk_failures(self.folder):
            try:
                descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(salted)
                try:
                    unfinished.replace(target)
                except FileNotFoundError:
                    target.parent.mkdir(mode=0o700, exist_ok=True)
                    unfinished.replace(target)
            except BaseException:
                unfinished.unlink(missing_ok=True)
                raise

    def _place(self, path: Path, target: Path) -> None:
        """Give a finished file its name: atomic, and lasting when this returns."""
        if target.parent not in self._lasting:
            target.parent.mkdir(mode=0o700, exist_ok=True)
            _synchronise_folder(self.folder)
            self._lasting.add(target.parent)
        path.replace(target)
        _synchronise_folder(target.parent)

    def _remove_abandoned(self) -> None:
        """What a killed process left half-written, once it is surely dead."""
        newest = time.time() - ABANDONED_SECONDS
        for path in self._incoming.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < newest:
                    path.unlink()


def _with_salt(salt: bytes, chunks: Iterable[bytes]) -> Iterator[bytes]:
    yield salt
    yield from chunks


def _chunks_of(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def _digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _synchronise_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _other_bytes(commitment: str) -> CommitmentError:
    return CommitmentError(
        f"payload {commitment[:12]} is not what its issuer committed to: ask for it again, or "
        "restore it from a backup"
    )
