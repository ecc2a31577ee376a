"""What can go wrong in the store.

StoreError
├── StoreUnreachableError    no database or folder answers there, or the connection went
├── StoreReadOnlyError       this user may not write there
├── StoreFullError           the disk (or a quota) is full
├── StoreBusyError           another process kept the log locked for too long
├── StoreFormatError         what lies there is not a log of this software, or of another release
├── StoreClosedError         used after close()
├── SequenceConflictError    the event is not the next of its stream
├── EquivocationError        its issuer signed two different things in the same place
├── CursorConflictError      somebody else moved the cursor: two reactors on one log
├── PayloadMissingError      no payload with this commitment here
└── CommitmentError          a payload's bytes are not what its commitment says

A transaction that raises leaves nothing behind. No message holds a password or a payload's content.
"""


class StoreError(Exception):
    """Anything the store raises."""


class StoreUnreachableError(StoreError):
    """The database or folder cannot be reached."""


class StoreReadOnlyError(StoreError):
    """The place can be read but not written."""


class StoreFullError(StoreError):
    """No space is left."""


class StoreBusyError(StoreError):
    """The writer's lock was not free in time."""


class StoreFormatError(StoreError):
    """The file or database holds something else."""


class StoreClosedError(StoreError):
    """The log was closed."""


class SequenceConflictError(StoreError):
    """An event skips or repeats a sequence number."""


class EquivocationError(StoreError):
    """Two signed histories of one stream."""


class CursorConflictError(StoreError):
    """A cursor only moves forward, and never past the head."""


class PayloadMissingError(StoreError):
    """The payload is not in this store."""


class CommitmentError(StoreError):
    """The bytes do not hash to the commitment."""
