"""Asking for predictions: one task a party, partial scores back, one result (S1 to S4)."""

from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from events.event import Event, PayloadRule, kept, only_to, payload_rules, sealed_to_asker
from events.lifecycle import LONGEST_DETAIL
from events.opening import Ending, Opening
from events.terms import Agreement, check_names_differ
from events.vocabulary import (
    ASKING_ROLES,
    DATA_ROLES,
    Digest,
    Frozen,
    PartyName,
    Role,
    StreamName,
)

Way = Literal["realtime", "nearline", "offline"]
Combination = Literal["sigmoid", "softmax", "sum"]
RejectionCode = Literal[
    "unknown-model",
    "not-a-member",
    "untrusted-requester",
    "rate-limit",
    "retired",
    "consent-withdrawn",
    "deadline",
    "cancelled",
    "data",
    "protocol",
    "internal",
]


class PredictionTerms(Agreement):
    """One prediction task: who asks whom for the scores of how many customers, and how (S4)."""

    initiator: PartyName
    model_id: StreamName
    way: Way
    rows: int = Field(ge=1, le=1_000_000_000)
    answer_within_seconds: int = Field(default=60, ge=1, le=7 * 86_400)

    @model_validator(mode="after")
    def _members_make_a_prediction(self) -> "PredictionTerms":
        check_names_differ(self.members)
        if self.role_of(self.initiator) not in ASKING_ROLES:
            raise ValueError("a local party or an initiator asks for a prediction")
        if set(self.named(Role.INITIATOR)) - {self.initiator} or len(self.named(Role.LOCAL)) > 1:
            raise ValueError("a prediction has one initiator, and at most one local party")
        if self.named(Role.ARBITER) or not 1 <= len(self.data_parties) <= 65:
            raise ValueError("a prediction needs 1 to 65 parties with data, and no arbiter")
        return self

    @property
    def asker(self) -> str:
        return self.initiator

    @property
    def patience(self) -> timedelta:
        return timedelta(seconds=self.answer_within_seconds)

    @property
    def asked(self) -> tuple[str, ...]:
        """The data parties that get a task from another party."""
        return tuple(name for name in self.data_parties if name != self.initiator)


class PredictionRejected(Ending):
    """The task ends without any score, and why; a party that did not answer is named."""

    ISSUERS: ClassVar = DATA_ROLES | {Role.INITIATOR}
    code: RejectionCode
    detail: str = Field(max_length=LONGEST_DETAIL)


TASK = "task"


class PredictionRequested(Opening):
    """The initiator asks every party with data for its scores: one sealed task a party (S1).

    A task is the serving key of initiator, model and party (32 bytes), then the customers' handles
    under this key, in order (16 bytes each). `task-PARTY` is opened by that party alone.
    """

    VERSION: ClassVar = 2
    ISSUERS: ClassVar = ASKING_ROLES
    PAYLOADS: ClassVar = payload_rules(
        order=kept("json", "the customers' ids in order, and what the initiator does with scores"),
        task=PayloadRule("bytes", DATA_ROLES, "one a party: serving key and handles"),
    )
    terms: PredictionTerms
    secret_commitment: Digest

    def rules(self) -> dict[str, PayloadRule]:
        task = self.PAYLOADS[TASK]
        tasks = {task_of(name): only_to(task, name) for name in self.terms.asked}
        return {"order": self.PAYLOADS["order"], **tasks}

    def ended(self, code: str, detail: str) -> PredictionRejected:
        return PredictionRejected.model_validate({"code": code, "detail": detail[:LONGEST_DETAIL]})


class PartialScoreReturned(Event):
    """A party's own scores, for the party that asked to combine with the others' (S2).

    Of a prediction: float64[rows, outputs], and a status a row. Of a training: a participant's
    scores of the held-out rows on the grid, in the common order, int64[rows]; nothing else is said.
    """

    VERSION: ClassVar = 2
    ISSUERS: ClassVar = DATA_ROLES
    PAYLOADS: ClassVar = payload_rules(
        scores=sealed_to_asker("float64", "partial scores in the order of the request"),
        status=sealed_to_asker("uint8", "a row: 0 scored, 1 this party has no such customer"),
    )
    rows: int = Field(ge=1)
    outputs: int = Field(default=1, ge=1)
    combination: Combination | None = None
    model_version: int | None = Field(default=None, ge=1)

    @property
    def is_held_out(self) -> bool:
        return self.combination is None

    def rules(self) -> dict[str, PayloadRule]:
        if self.is_held_out:
            return {"scores": sealed_to_asker("int64", "partial scores on the grid")}
        return dict(self.PAYLOADS)


class Missing(Frozen):
    """How many of the customers a party does not have."""

    party: PartyName
    rows: int = Field(ge=0)


class PredictionCompleted(Event):
    """All parts are here and combined (S3); private: how many were found is the initiator's."""

    PRIVATE: ClassVar = True
    ISSUERS: ClassVar = ASKING_ROLES
    PAYLOADS: ClassVar = payload_rules(
        results=kept("results", "ids, a status a row and party, and the combined scores")
    )
    job: str
    model_id: StreamName
    model_version: int = Field(ge=1)
    rows: int = Field(ge=1)
    scored: int = Field(ge=0)
    missing: tuple[Missing, ...]
    threshold: float | None = None


def task_of(party: str) -> str:
    """The name of a party's task among the payloads."""
    return f"{TASK}-{party}"
