"""Payloads by their commitment: files that hold salt ‖ plaintext, named by their SHA-256.

The envelope commits to exactly this digest (requirements D1; design, Events), so a file's name
proves its content, the same payload is stored once, and a file is final once it has its name.
A small payload has no file at first (store.small_payloads).
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
from store.files import digest_of_file, synchronise_folder
from store.small_payloads import LARGEST_SMALL, Kept, SmallPayloads

SALT_BYTES = 32
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

    def __init__(self, folder: Path, kept: Kept = lambda _commitment: None) -> None:
        self.folder = folder
        self._small = SmallPayloads(kept)
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

    def hold(self, salted: bytes) -> StoredPayload:
        """Take a small payload's salt ‖ plaintext, which has no file before `settle`.

        Its bytes belong into the transaction of the event that names it (`keep_payloads`), which is
        forced to the disk anyway; from then on the log has them for every process.
        """
        return StoredPayload(self._small.add(salted), len(salted) - SALT_BYTES)

    def settle(self, kept: Sequence[tuple[str, bytes]]) -> None:
        """These payloads have files that are on the disk when this returns."""
        paths = [self._path(commitment) for commitment, _ in kept]
        for path, (_, salted) in zip(paths, kept, strict=True):
            if not path.is_file() or path.read_bytes() != salted:
                self._write_whole(path, salted)
        with disk_failures(self.folder):
            for path in paths:
                with path.open("rb") as file:
                    os.fsync(file.fileno())
            for folder in (self.folder, *{path.parent for path in paths}):
                synchronise_folder(folder)

    def repair(self, kept: Sequence[tuple[str, bytes]]) -> None:
        """Write anew what a power failure damaged before `settle` was through."""
        for commitment, salted in kept:
            path = self._path(commitment)
            if path.is_file() and path.read_bytes() != salted:
                self._write_whole(path, salted)

    def adopt(self, path: Path, commitment: str) -> StoredPayload:
        """Take in a received file of salt ‖ plaintext, if it is what the commitment says.

        The file is moved, and stays where it is when CommitmentError is raised.
        """
        target = self._path(commitment)
        with disk_failures(path):
            size = path.stat().st_size
            if size < SALT_BYTES or digest_of_file(path) != commitment:
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
        salted = self._without_file(commitment)
        if salted is None:
            path = self._existing(commitment)
            with disk_failures(path), path.open("rb") as file:
                salt, plaintext = file.read(SALT_BYTES), file.read()
        else:
            salt, plaintext = salted[:SALT_BYTES], salted[SALT_BYTES:]
        digest = hashlib.sha256(salt)
        digest.update(plaintext)
        if digest.hexdigest() != commitment:
            raise _other_bytes(commitment)
        return plaintext

    def salted(self, commitment: str) -> bytes:
        """Salt ‖ plaintext of a small payload, for sealing."""
        salted = self._without_file(commitment)
        return self._existing(commitment).read_bytes() if salted is None else salted

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
        kind = np.dtype(dtype)
        expected, size = math.prod(shape) * kind.itemsize, self.size(commitment)
        if kind.hasobject or min(shape, default=0) < 0 or size != expected:
            raise CommitmentError(
                f"payload {commitment[:12]} has {size} bytes, not the {expected} "
                f"of {kind.name}{list(shape)}"
            )
        if expected == 0:
            empty: NDArray[Any] = np.empty(tuple(shape), kind)
            empty.flags.writeable = False
            return empty
        if SALT_BYTES + expected <= LARGEST_SMALL:
            salted = self.salted(commitment)
            return np.frombuffer(salted, kind, offset=SALT_BYTES).reshape(shape)
        path = self._existing(commitment)
        with disk_failures(path):
            return np.memmap(path, kind, mode="r", offset=SALT_BYTES, shape=tuple(shape))

    def salted_file(self, commitment: str) -> Path:
        """The file of salt ‖ plaintext itself, for sealing; read it only."""
        return self._existing(commitment)

    def verify(self, commitment: str) -> None:
        """Hash the file anew. Raises PayloadMissingError, CommitmentError."""
        path = self._existing(commitment)
        with disk_failures(path):
            if digest_of_file(path) != commitment:
                raise _other_bytes(commitment)

    def has(self, commitment: str) -> bool:
        path = self._path(commitment)
        # Its file is there before the log lets go of it.
        return self._without_file(commitment) is not None or path.is_file()

    def size(self, commitment: str) -> int:
        """Bytes of the plaintext."""
        if (salted := self._without_file(commitment)) is not None:
            return len(salted) - SALT_BYTES
        path = self._existing(commitment)
        with disk_failures(path):
            return path.stat().st_size - SALT_BYTES

    def remove(self, commitments: Iterable[str]) -> None:
        """Remove what the log says was pruned; what is not here is left at that."""
        for commitment in commitments:
            path = self._path(commitment)
            self._small.forget(commitment)
            with disk_failures(path):
                path.unlink(missing_ok=True)

    def __iter__(self) -> Iterator[str]:
        """Every commitment that has a file, sorted."""
        with disk_failures(self.folder):
            names = [path.name for path in self.folder.glob("[0-9a-f][0-9a-f]/*")]
        return iter(sorted(name for name in names if COMMITMENT.fullmatch(name)))

    def _path(self, commitment: str) -> Path:
        if not COMMITMENT.fullmatch(commitment):
            raise CommitmentError("a commitment is 64 hexadecimal digits, in lower case")
        return self.folder / commitment[:2] / commitment

    def _existing(self, commitment: str) -> Path:
        """The file, which is made now if the log has its bytes only."""
        path = self._path(commitment)
        if not path.is_file():
            if (salted := self._without_file(commitment)) is not None:
                self._write_whole(path, salted)
            elif not path.is_file():
                raise PayloadMissingError(
                    f"payload {commitment[:12]} is not here: it was never received, or was removed"
                )
        return path

    def _without_file(self, commitment: str) -> bytes | None:
        """Salt ‖ plaintext, where it is at hand without a file."""
        salted = self._small.recent(commitment)
        if salted is None and not self._path(commitment).is_file():
            salted = self._small.kept(commitment)
        return salted

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
            synchronise_folder(self.folder)
            self._lasting.add(target.parent)
        path.replace(target)
        synchronise_folder(target.parent)

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


def _other_bytes(commitment: str) -> CommitmentError:
    return CommitmentError(
        f"payload {commitment[:12]} is not what its issuer committed to: ask for it again, or "
        "restore it from a backup"
    )
