"""What can go wrong at a party.

PartyError
├── FolderError        the folder cannot be made, is not a party's, or is occupied
├── SettingsError      party.toml says something that cannot be
├── KeyFileError       a key is missing, damaged, or readable by others
├── TrustError         a card that cannot be trusted
├── SealingError       a payload cannot be sealed, or opened by this party
├── AlreadyRunningError   the same party runs twice
├── BusyError          another process does the same just now
├── LinkError          sending or receiving ended by itself
├── RotationError      keys cannot be changed now
├── RetiredKeysError   this party's own keys were replaced: they come from an old backup
├── AppendError        a decided event cannot become an envelope
├── RequestError       a job that this party may not or cannot ask for
├── RefusalError       a received message that does not enter the log, and why
└── SourceError        the party's own data cannot be read as told

No message holds a key, a password, a customer's id or a value of a row.
"""

from enum import StrEnum


class PartyError(Exception):
    """Root of everything this room raises."""


class FolderError(PartyError):
    pass


class SettingsError(PartyError):
    pass


class KeyFileError(PartyError):
    pass


class TrustError(PartyError):
    pass


class SealingError(PartyError):
    pass


class AlreadyRunningError(PartyError):
    pass


class BusyError(PartyError):
    pass


class LinkError(PartyError):
    pass


class RotationError(PartyError):
    pass


class RetiredKeysError(PartyError):
    pass


class AppendError(PartyError):
    pass


class RequestError(PartyError):
    pass


class SourceError(PartyError):
    pass


class Reason(StrEnum):
    """Why a message was refused: what is recorded, counted and told to the broker."""

    BAD_CHUNK = "chunk without usable headers"
    SPOOL_FULL = "too many or too large unfinished payloads of this sender"
    NOT_AN_ENVELOPE = "not an envelope"
    FALSE_IDENTITY = "event id is not the hash of its place"
    OTHER_SENDER = "issuer is not the sender"
    UNKNOWN_ISSUER = "issuer is not trusted"
    FALSE_SIGNATURE = "signature is not the issuer's"
    RETIRED_KEY = "signed with a key that its issuer has retired"
    FALSE_ROTATION = "new keys that the trusted card does not vouch for"
    CLOSED_STREAM = "nothing follows a change of keys in its stream"
    UNKNOWN_EVENT = "unknown event type or version"
    AGAINST_SCHEMA = "event does not follow its schema"
    PRIVATE_EVENT = "private event of another party"
    NO_TRANSPORT = "payload without usable headers"
    TOO_MANY_HELD = "too many events wait for an earlier one"
    EQUIVOCATION = "issuer signed two histories"
    BACK_DATED = "time is before the event it follows"
    FOREIGN_CAUSE = "cause is not a shared event of the job"
    UNKNOWN_JOB = "job was never requested"
    JOB_TAKEN = "job was requested before"
    NOT_INVITED = "this party has no such role in the job"
    UNTRUSTED_MEMBER = "a member of the job is not trusted in its role"
    NOT_A_MEMBER = "issuer is not a member of the job"
    WRONG_ROLE = "issuer's role may not say this"
    WRONG_READERS = "payload is meant for the wrong readers"
    OTHER_SEALED_BYTES = "sealed payload is not what was announced"
    NOT_SEALED_TO_US = "sealed payload does not open"
    OTHER_RECIPIENTS = "sealed payload is not for all whom the job names, or for more"
    OTHER_CONTENT = "payload is not what its issuer committed to"
    BAD_HEADS = "not a statement of heads for this party"
    STALE_HEADS = "statement of heads is older than the last one"
    INTERNAL = "internal error of the recipient"


class RefusalError(PartyError):
    """`reason` is counted and goes to the dead-letter queue; the message adds who and what."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
