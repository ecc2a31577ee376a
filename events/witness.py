"""Parties are each other's witnesses: checkpoints of whole logs, and what contradicts them (D4)."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from events.event import Event
from events.vocabulary import Digest, Frozen, PartyName, Role

SPEAKERS = frozenset(Role) - {Role.AUDITOR}
Signature = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{86}==$")]


class HeadSeen(Frozen):
    """The newest event of this stream that a party has from one issuer, by its digest."""

    source: PartyName
    sequence: int = Field(ge=0)
    digest: Digest


class CheckpointPosted(Event):
    """A party's signed word on its whole log: it can't rewrite it any more without being caught.

    `root` is that of the Merkle tree (RFC 9162) over the first `size` events of its log, this one
    not among them; `signature` signs the note that `events/checkpoint.py` describes.
    `consistency` proves that the log goes on from its checkpoint of size `since` in this stream
    (0: there was none). `heads` says what the party has of this stream, from every issuer.
    """

    ISSUERS: ClassVar = SPEAKERS
    origin: str = Field(max_length=200)
    size: int = Field(ge=1)
    root: Digest
    signature: Signature
    since: int = Field(ge=0)
    consistency: tuple[Digest, ...] = Field(max_length=64)
    heads: tuple[HeadSeen, ...] = Field(max_length=100)


class OwnEventsMissed(Event):
    """Peers hold events of this job that this party said and has no longer: its log is a backup.

    Its first `size` events are those that were there before.
    """

    PRIVATE: ClassVar = True
    ISSUERS: ClassVar = frozenset(Role)
    job: str
    size: int = Field(ge=0)


class LogRestored(Event):
    """The log of its issuer was restored from a backup; what it had said in this job is back.

    Only the first `size` events of that log are the same as before: checkpoints of more, given
    before this event, are void. That is a restoration, said openly, and no rewritten history.
    """

    ISSUERS: ClassVar = frozenset(Role)
    size: int = Field(ge=0)


class CheckpointDisputed(Event):
    """A checkpoint contradicts what this party holds: somebody's history was rewritten or forked.

    Which of the two is right is for the auditor to see, in both logs.
    """

    ISSUERS: ClassVar = SPEAKERS
    issuer: PartyName
    size: int = Field(ge=1)
    detail: str = Field(max_length=500)
