"""What ends a job.

HandlersError
├── JobError           the job cannot go on; becomes its stream's ending for every member
│   └── ProtocolError  another member sent what the protocol does not allow
├── SecretMissingError  a job was decided again without its secret
├── PolicyError        the party's own policy file makes no sense
└── RegistryError      the table of reactions contradicts the catalogue (found at start-up)
"""

from events.identifying import IdentificationCode
from events.lifecycle import FailureCode
from events.predictions import RejectionCode


class HandlersError(Exception):
    """Root of everything this room raises."""


class JobError(HandlersError):
    """`detail` goes to every member; `private` stays in the party's own log."""

    def __init__(
        self, code: FailureCode | RejectionCode | IdentificationCode, detail: str, private: str = ""
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.private = private


class ProtocolError(JobError):
    def __init__(self, detail: str) -> None:
        super().__init__("protocol", detail)


class SecretMissingError(HandlersError):
    pass


class PolicyError(HandlersError):
    pass


class RegistryError(HandlersError):
    pass
