"""A party's task of a prediction: the serving key, and the customers as handles under it (S1).

The key is drawn for one initiator, one model and one party. So the initiator needs no key of the
training, a party's handles mean nothing to another party, and a party finds the customers of every
later request with the index it made for the first. Who has the key can try all telephone numbers
against the handles: a party may learn which customers it was asked for, also those it does not
have (threat model).
"""

from collections.abc import Iterable, Sequence

from handlers.alignment import HANDLE_BYTES, handles_of, join_handles, split_handles
from handlers.own import Own

KEY_BYTES = 32


def serving_key(own: Own, model_id: str, party: str) -> bytes:
    """The key of the handles that this initiator sends to `party` for this model."""
    return own.generator(f"serving {model_id}", "serving key", party).bytes(KEY_BYTES)


def task_bytes(rows: int) -> int:
    return KEY_BYTES + rows * HANDLE_BYTES


def write_task(key: bytes, ids: Iterable[str]) -> bytes:
    return key + join_handles(handles_of(key, ids))


def read_task(content: bytes) -> tuple[bytes, Sequence[bytes]]:
    """The key, and the handles in the order of the request."""
    return content[:KEY_BYTES], split_handles(content[KEY_BYTES:])
