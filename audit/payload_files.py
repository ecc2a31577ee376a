"""Payloads as an auditor reads them: salt and plaintext by commitment, wherever the files lie."""

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import IO, Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import DTypeLike, NDArray

from store.errors import CommitmentError, PayloadMissingError
from store.payloads import SALT_BYTES


class PayloadFiles(ABC):
    """Read-only; `read` and `array` are what handlers and projections ask of a payload store."""

    @abstractmethod
    def has(self, commitment: str) -> bool: ...

    @abstractmethod
    def _open(self, commitment: str) -> IO[bytes]:
        """The file of salt ‖ plaintext."""

    def digest_and_size(self, commitment: str) -> tuple[str, int]:
        """SHA-256 of the file, and the plaintext's size in bytes."""
        with self.open_salted(commitment) as file:
            digest, size = hashlib.sha256(), -SALT_BYTES
            while block := file.read(1 << 20):
                digest.update(block)
                size += len(block)
        return digest.hexdigest(), size

    def open_salted(self, commitment: str) -> IO[bytes]:
        """Raises PayloadMissingError."""
        if not self.has(commitment):
            raise PayloadMissingError(f"payload {commitment[:12]} is not with this log")
        return self._open(commitment)

    def read(self, commitment: str) -> bytes:
        """The plaintext, checked against its commitment. Raises CommitmentError."""
        with self.open_salted(commitment) as file:
            content = file.read()
        if hashlib.sha256(content).hexdigest() != commitment:
            raise CommitmentError(f"payload {commitment[:12]} is not what was committed to")
        return content[SALT_BYTES:]

    def array(self, commitment: str, dtype: DTypeLike, shape: Sequence[int]) -> NDArray[Any]:
        """The plaintext as an array, C order."""
        content, kind = self.read(commitment), np.dtype(dtype)
        if kind.hasobject or math.prod(shape) * kind.itemsize != len(content):
            raise CommitmentError(f"payload {commitment[:12]} is no array of the shape it says")
        return np.frombuffer(content, kind).reshape(shape)


class FolderPayloads(PayloadFiles):
    """A party's payload folder, or a copy of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def _names(self) -> frozenset[str]:
        """Looked up once: a log refers to many."""
        return frozenset(path.name for path in self._folder.glob("[0-9a-f][0-9a-f]/*"))

    def has(self, commitment: str) -> bool:
        return commitment in self._names

    def _open(self, commitment: str) -> IO[bytes]:
        return self._path(commitment).open("rb")

    def _path(self, commitment: str) -> Path:
        return self._folder / commitment[:2] / commitment


class ZipPayloads(PayloadFiles):
    """The payloads inside an export file."""

    def __init__(self, file: ZipFile, names: frozenset[str]) -> None:
        self._file, self._names = file, names

    def has(self, commitment: str) -> bool:
        return payload_member(commitment) in self._names

    def _open(self, commitment: str) -> IO[bytes]:
        return self._file.open(payload_member(commitment))


def payload_member(commitment: str) -> str:
    """Where a payload stands in an export file."""
    return f"payloads/{commitment}"
