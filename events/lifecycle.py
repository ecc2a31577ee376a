"""A job begins, is agreed on, and ends."""

from typing import ClassVar, Literal

from pydantic import Field

from events.event import Event, payload_rules, sealed_to
from events.opening import Ending, Opening
from events.terms import Terms
from events.versions import ONLY_THE_FIRST, Versions
from events.vocabulary import DATA_ROLES, Digest, PartyName, Role

FailureCode = Literal[
    "declined",
    "cancelled",
    "deadline",
    "data",
    "no-overlap",
    "leak-budget",
    "unsafe-key",
    "protocol",
    "diverged",
    "internal",
]
StopReason = Literal["all flags raised", "round limit"]
ANSWERING = frozenset({Role.PARTICIPANT, Role.ARBITER, Role.MART})
ANY_MEMBER = ANSWERING | {Role.LOCAL}
LONGEST_DETAIL = 1000


class TrainingFailed(Ending):
    """The job is over without a model, and why, for every member."""

    VERSION: ClassVar = 2
    ISSUERS: ClassVar = ANY_MEMBER
    code: FailureCode
    detail: str = Field(max_length=LONGEST_DETAIL)


class TrainingRequested(Opening):
    """The local party asks for a joint model. The commitments bind it to its secret and data."""

    VERSION: ClassVar = 3
    ISSUERS: ClassVar = frozenset({Role.LOCAL})
    PAYLOADS: ClassVar = payload_rules(
        alignment_key=sealed_to(
            Role.PARTICIPANT, "bytes", "key of the identifier hashes; never seen by the arbiter"
        )
    )
    terms: Terms
    customers: int = Field(ge=1)
    secret_commitment: Digest
    data_commitment: Digest

    def ended(self, code: str, detail: str) -> TrainingFailed:
        return TrainingFailed.model_validate({"code": code, "detail": detail[:LONGEST_DETAIL]})


class TrainingAccepted(Event):
    """A member agrees to the terms; a data party also commits to its data (requirements A3, D4).

    The job runs in the newest version of the protocol that all members speak.
    """

    VERSION: ClassVar = 3
    ISSUERS: ClassVar = ANSWERING
    customers: int = Field(ge=0)
    secret_commitment: Digest
    data_commitment: Digest | None
    speaks: Versions = ONLY_THE_FIRST


class TrainingDeclined(Event):
    """A member does not take part; the reason is for the party that asked."""

    VERSION: ClassVar = 2
    ISSUERS: ClassVar = ANSWERING
    reason: str = Field(max_length=500)


class TrainingStopped(Event):
    """Every flag was 1 in the same round, or the rounds are used up (requirements T9)."""

    ISSUERS: ClassVar = frozenset({Role.ARBITER})
    round: int = Field(ge=1)
    reason: StopReason


class WorkFailed(Event):
    """Why data could not be read, binned or scored, a key not made, a model not converted.

    It stays at home, and may name columns.
    """

    VERSION: ClassVar = 3
    PRIVATE: ClassVar = True
    ISSUERS: ClassVar = ANY_MEMBER
    job: str
    work: Literal[
        "snapshot", "key", "prepare", "intersections", "convert", "score", "identify", "recall"
    ]
    detail: str = Field(max_length=LONGEST_DETAIL)


class DeadlinePassed(Event):
    """A timer of this party ran out before every member had answered."""

    VERSION: ClassVar = 2
    PRIVATE: ClassVar = True
    ISSUERS: ClassVar = DATA_ROLES | {Role.INITIATOR}
    job: str
    waiting_for: tuple[str, ...]


class MessageRefused(Event):
    """A member's genuine message did not enter this party's log: the job cannot go on as agreed."""

    VERSION: ClassVar = 2
    PRIVATE: ClassVar = True
    ISSUERS: ClassVar = frozenset(Role)
    job: str
    sender: PartyName
    reason: str = Field(max_length=200)
