"""A party's task of a prediction: the serving key, and the customers as handles under it (S1).

The key is drawn for one initiator, one model and one party. So the initiator needs no key of the
training, a party's handles mean nothing to another party, and a party finds the customers of every
later request with the index it made for the first. Who has the key can try all telephone numbers
against the handles: a party may learn which customers it was asked for, also those it does not
have (threat model).
"""

from collections.abc import Iterable, Sequence
from typing import overload

from handlers.alignment import HANDLE_BYTES, each_handle
from handlers.own import Own

KEY_BYTES = 32


def serving_key(own: Own, model_id: str, party: str) -> bytes:
    """The key of the handles that this initiator sends to `party` for this model."""
    return own.generator(f"serving {model_id}", "serving key", party).bytes(KEY_BYTES)


def task_bytes(rows: int) -> int:
    return KEY_BYTES + rows * HANDLE_BYTES


def write_task(key: bytes, ids: Iterable[str]) -> bytes:
    content = bytearray(key)
    for handle in each_handle(key, ids):
        content += handle
    return bytes(content)


def read_task(content: bytes) -> tuple[bytes, Sequence[bytes]]:
    """The key, and the handles in the order of the request."""
    return content[:KEY_BYTES], Handles(content)


class Handles(Sequence[bytes]):
    """The handles of a task, where they are: each is cut out when it is asked for."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __len__(self) -> int:
        return (len(self._content) - KEY_BYTES) // HANDLE_BYTES

    @overload
    def __getitem__(self, place: int) -> bytes: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[bytes]: ...

    def __getitem__(self, place: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(place, slice):
            return [self[row] for row in range(*place.indices(len(self)))]
        start = KEY_BYTES + range(len(self))[place] * HANDLE_BYTES
        return self._content[start : start + HANDLE_BYTES]
