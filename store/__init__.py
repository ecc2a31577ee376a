"""Where a party keeps what it knows: the append-only log and the payloads (requirement D2)."""

from store.entry import Delivery, Entry, HeldEnvelope, Refusal, StreamHead, Undelivered
from store.errors import (
    CommitmentError,
    CursorConflictError,
    EquivocationError,
    PayloadMissingError,
    SequenceConflictError,
    StoreBusyError,
    StoreClosedError,
    StoreError,
    StoreFormatError,
    StoreFullError,
    StoreReadOnlyError,
    StoreUnreachableError,
)
from store.log import Log
from store.payloads import SALT_BYTES, PayloadStore, StoredPayload
from store.transaction import LogTransaction

__all__ = [
    "SALT_BYTES",
    "CommitmentError",
    "CursorConflictError",
    "Delivery",
    "Entry",
    "EquivocationError",
    "HeldEnvelope",
    "Log",
    "LogTransaction",
    "PayloadMissingError",
    "PayloadStore",
    "Refusal",
    "SequenceConflictError",
    "StoreBusyError",
    "StoreClosedError",
    "StoreError",
    "StoreFormatError",
    "StoreFullError",
    "StoreReadOnlyError",
    "StoreUnreachableError",
    "StoredPayload",
    "StreamHead",
    "Undelivered",
]
