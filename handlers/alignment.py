"""Aligning customers by keyed hashes (requirements A1 to A3).

The key is the local party's, sealed to the participants; without it a handle says nothing. Who
has the key can try all telephone numbers: a keyed hash protects the identifiers from the arbiter,
the broker and outsiders, not from the parties that share the key.
"""

import hmac
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

HANDLE_BYTES = 16


def handles_of(key: bytes, ids: Iterable[str]) -> list[bytes]:
    """HMAC-SHA256 of every id, cut to 16 bytes."""
    return list(each_handle(key, ids))


def each_handle(key: bytes, ids: Iterable[str]) -> Iterator[bytes]:
    """The same, one after the other."""
    keyed = hmac.new(key, digestmod="sha256")  # once: half of the time of a hash is its key's
    for identifier in ids:
        one = keyed.copy()
        one.update(identifier.encode())
        yield one.digest()[:HANDLE_BYTES]


def join_handles(handles: Iterable[bytes]) -> bytes:
    return b"".join(handles)


def split_handles(content: bytes) -> list[bytes]:
    return [content[start : start + HANDLE_BYTES] for start in range(0, len(content), HANDLE_BYTES)]


def common_handles(own: Iterable[bytes], others: Sequence[Iterable[bytes]]) -> list[bytes]:
    """The handles that everybody has, sorted: one order of rows for all (A3)."""
    return sorted(set(own).intersection(*others))


def rows_of(order: Sequence[bytes], own: Sequence[bytes]) -> NDArray[np.int64]:
    """Where each common row stands in the party's own table. KeyError: a handle it never had."""
    places = {handle: row for row, handle in enumerate(own)}
    return np.array([places[handle] for handle in order], dtype=np.int64)
