"""Payloads as an auditor reads them: salt and plaintext by commitment, wherever the files lie."""

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO, RawIOBase
from pathlib import Path
from struct import Struct
from typing import IO, Any, cast
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from numpy.typing import DTypeLike, NDArray

from store.errors import CommitmentError, PayloadMissingError
from store.payloads import SALT_BYTES

BLOCK_BYTES = 1 << 20
# A member's local header: signature, flags, lengths of name and extra field (APPNOTE.TXT, 4.3.7)
LOCAL_HEADER = Struct("<4s2xH18xHH")
LOCAL_SIGNATURE, ENCRYPTED = b"PK\3\4", 1


@dataclass(frozen=True)
class Span:
    """Where salt ‖ plaintext stand as they are: a file, or a part of one."""

    path: Path
    start: int
    size: int


class PayloadFiles(ABC):
    """Read-only; `read` and `array` are what handlers and projections ask of a payload store."""

    def __init__(self) -> None:
        self._genuine: set[str] = set()

    @abstractmethod
    def has(self, commitment: str) -> bool: ...

    @abstractmethod
    def _open(self, commitment: str) -> IO[bytes]:
        """The file of salt ‖ plaintext."""

    @abstractmethod
    def _span(self, commitment: str) -> Span | None:
        """Where it can be mapped into memory; None where it is compressed."""

    def digest_and_size(self, commitment: str) -> tuple[str, int]:
        """SHA-256 of the file, and the plaintext's size in bytes; in constant memory."""
        digest, size, block = hashlib.sha256(), -SALT_BYTES, memoryview(bytearray(BLOCK_BYTES))
        with self.open_salted(commitment) as file:
            while length := file.readinto(block):  # type: ignore[attr-defined]
                digest.update(block[:length])
                size += length
        return digest.hexdigest(), size

    def open_salted(self, commitment: str) -> IO[bytes]:
        """Raises PayloadMissingError."""
        if not self.has(commitment):
            raise PayloadMissingError(f"payload {commitment[:12]} is not with this log")
        return self._open(commitment)

    def read(self, commitment: str) -> bytes:
        """The plaintext, checked against its commitment. Raises CommitmentError."""
        with self.open_salted(commitment) as file:
            digest = hashlib.sha256(file.read(SALT_BYTES))
            plaintext = file.read()
        digest.update(plaintext)
        if digest.hexdigest() != commitment:
            raise CommitmentError(f"payload {commitment[:12]} is not what was committed to")
        return plaintext

    def array(self, commitment: str, dtype: DTypeLike, shape: Sequence[int]) -> NDArray[Any]:
        """The plaintext as a read-only array on the file itself, checked, C order."""
        span, kind = self._span(commitment), np.dtype(dtype)
        if span is None:
            content = self.read(commitment)
        else:
            self._check(commitment)
        size = len(content) if span is None else span.size - SALT_BYTES
        if kind.hasobject or min(shape, default=0) < 0 or math.prod(shape) * kind.itemsize != size:
            raise CommitmentError(f"payload {commitment[:12]} is no array of the shape it says")
        if span is None or size == 0:
            return np.frombuffer(b"" if span else content, kind).reshape(shape)
        return np.memmap(span.path, kind, "r", span.start + SALT_BYTES, tuple(shape))

    def _check(self, commitment: str) -> None:
        """Once: a wide table is asked for column by column."""
        if commitment not in self._genuine:
            if self.digest_and_size(commitment)[0] != commitment:
                raise CommitmentError(f"payload {commitment[:12]} is not what was committed to")
            self._genuine.add(commitment)


class FolderPayloads(PayloadFiles):
    """A party's payload folder, or a copy of it; `kept` are those that its log has instead."""

    def __init__(self, folder: Path, kept: Callable[[], Mapping[str, bytes]] = dict) -> None:
        super().__init__()
        self._folder = folder
        self._ask_for_kept = kept

    @cached_property
    def _kept(self) -> Mapping[str, bytes]:
        return self._ask_for_kept()

    @cached_property
    def _names(self) -> frozenset[str]:
        """Looked up once: a log refers to many."""
        return frozenset(path.name for path in self._folder.glob("[0-9a-f][0-9a-f]/*"))

    def has(self, commitment: str) -> bool:
        # The log lets go of a payload when its file is there.
        return commitment in self._kept or commitment in self._names

    def _open(self, commitment: str) -> IO[bytes]:
        if commitment in self._kept:
            return BytesIO(self._kept[commitment])
        return self._path(commitment).open("rb", buffering=0)

    def _span(self, commitment: str) -> Span | None:
        if commitment in self._kept or commitment not in self._names:
            return None
        path = self._path(commitment)
        return Span(path, 0, path.stat().st_size)

    def _path(self, commitment: str) -> Path:
        return self._folder / commitment[:2] / commitment


class ZipPayloads(PayloadFiles):
    """The payloads inside an export file: read past the archive where they stand as they are.

    Its checksum would cost half as much again as SHA-256, and says less.
    """

    def __init__(
        self, path: Path, file: ZipFile, names: frozenset[str], folder: str = "payloads"
    ) -> None:
        super().__init__()
        self._path, self._file, self._names, self._folder = path, file, names, folder

    def has(self, commitment: str) -> bool:
        return self._member(commitment) in self._names

    def _open(self, commitment: str) -> IO[bytes]:
        span = self._span(commitment)
        if span is None:
            return self._file.open(self._member(commitment))
        return cast("IO[bytes]", _Part(span))

    def _span(self, commitment: str) -> Span | None:
        if not self.has(commitment):
            return None
        member = self._file.getinfo(self._member(commitment))
        if member.compress_type != ZIP_STORED or member.file_size != member.compress_size:
            return None
        start = _content_of(self._path, member)
        return None if start is None else Span(self._path, start, member.file_size)

    def _member(self, commitment: str) -> str:
        return payload_member(commitment, self._folder)


class _Part(RawIOBase):
    """A part of a file, read as if it were one."""

    def __init__(self, span: Span) -> None:
        self._file = span.path.open("rb", buffering=0)
        self._file.seek(span.start)
        self._left = span.size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any buffer at all
        view = memoryview(buffer).cast("B")[: self._left]
        length = self._file.readinto(view) or 0
        self._left -= length
        return length

    def readall(self) -> bytes:
        content = self._file.read(self._left)
        self._left -= len(content)
        return content

    def close(self) -> None:
        self._file.close()
        super().close()


def _content_of(path: Path, member: ZipInfo) -> int | None:
    """Where the content of a stored member begins: behind a header, a name and an extra field."""
    with path.open("rb", buffering=0) as file:
        file.seek(member.header_offset)
        header = file.read(LOCAL_HEADER.size)
    if len(header) < LOCAL_HEADER.size:
        return None
    signature, flags, name, extra = LOCAL_HEADER.unpack(header)
    if signature != LOCAL_SIGNATURE or flags & ENCRYPTED:
        return None
    return int(member.header_offset + LOCAL_HEADER.size + name + extra)


def payload_member(commitment: str, folder: str = "payloads") -> str:
    """Where a payload stands in an export file."""
    return f"{folder}/{commitment}"
