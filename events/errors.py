"""What can be wrong with an event.

EventError
├── EnvelopeError        the envelope cannot be read, is too large or is not canonical
│   ├── SignatureError   the signature is not the issuer's
│   └── IdentityError    the id is not the hash of issuer, stream and sequence
├── CheckpointError      a signed note that is no checkpoint of this party's log
├── UnknownEventError    a type or schema version that this software does not know
└── CatalogueError       the vocabulary contradicts itself (found at start-up)
"""


class EventError(Exception):
    """Root of everything this room raises."""


class EnvelopeError(EventError):
    pass


class SignatureError(EnvelopeError):
    pass


class IdentityError(EnvelopeError):
    pass


class CheckpointError(EventError):
    pass


class UnknownEventError(EventError):
    pass


class CatalogueError(EventError):
    pass
