"""Identifying customers: probabilities to the arbiter, labels to all parties (L1 to L3)."""

from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from events.event import Event, PayloadRule, kept, only_to, payload_rules, sealed_to
from events.identification import PartyWeight
from events.lifecycle import LONGEST_DETAIL
from events.opening import Ending, Opening
from events.predictions import task_of
from events.preparation import Hexadecimal
from events.terms import Agreement, check_names_differ
from events.vocabulary import DATA_ROLES, Digest, Frozen, PartyName, Role, StreamName

Purpose = Literal["labels", "sweep"]
IdentificationCode = Literal[
    "unknown-model",
    "not-a-member",
    "untrusted-requester",
    "quota",
    "scores-not-released",
    "retired",
    "consent-withdrawn",
    "deadline",
    "data",
    "protocol",
    "internal",
]
# A threshold is a decimal number with so many digits after the point at most.
TAU_DIGITS = 12


class IdentificationTerms(Agreement):
    """Who asks for the labels of how many customers, by which model, at which threshold.

    A sweep has no threshold: the local party learns which of a fixed list of them F is above, for
    the customers held out of the training.
    """

    requester: PartyName
    model_id: StreamName
    purpose: Purpose = "labels"
    tau: float | None = Field(default=None, gt=0, lt=1)
    rows: int = Field(ge=1, le=10_000_000)
    release_scores: bool = False
    answer_within_seconds: int = Field(default=600, ge=1, le=7 * 86_400)

    @model_validator(mode="after")
    def _members_identify(self) -> "IdentificationTerms":
        check_names_differ(self.members)
        one_each = len(self.named(Role.LOCAL)) == len(self.named(Role.ARBITER)) == 1
        if not one_each or not 1 <= len(self.named(Role.PARTICIPANT)) <= 64:
            raise ValueError("an identification needs the local party, participants, an arbiter")
        if self.named(Role.INITIATOR, Role.MART):
            raise ValueError("only parties with data, an arbiter and auditors identify customers")
        if self.role_of(self.requester) not in DATA_ROLES:
            raise ValueError("a party with data asks for labels")
        if (self.tau is None) != (self.purpose == "sweep"):
            raise ValueError("labels need a threshold tau, and a sweep has none")
        if self.tau is not None and round(self.tau, TAU_DIGITS) != self.tau:
            raise ValueError(f"tau has at most {TAU_DIGITS} digits after the point")
        if self.purpose == "sweep" and (
            self.release_scores or self.role_of(self.requester) is not Role.LOCAL
        ):
            raise ValueError("the local party alone asks for a sweep, and gets no scores by it")
        return self

    @property
    def asker(self) -> str:
        return self.requester

    @property
    def patience(self) -> timedelta:
        return timedelta(seconds=self.answer_within_seconds)

    @property
    def asked(self) -> tuple[str, ...]:
        """The data parties that get a task from another party."""
        return tuple(name for name in self.data_parties if name != self.requester)

    @property
    def arbiter(self) -> str:
        return self.named(Role.ARBITER)[0]


class IdentificationRejected(Ending):
    """The request ends without any label, and why; a party that did not answer is named."""

    ISSUERS: ClassVar = DATA_ROLES | {Role.ARBITER}
    code: IdentificationCode
    detail: str = Field(max_length=LONGEST_DETAIL)


class IdentificationRequested(Opening):
    """A data party asks for labels: rows in random order under random handles of this request.

    `task-PARTY` is opened by that party alone: a serving key (32 bytes) and the customers' handles
    under it, in the order of the rows (16 bytes each), as in a prediction. Of a sweep it is the
    places of the rows among the customers held out, int64.
    """

    VERSION: ClassVar = 2
    ISSUERS: ClassVar = DATA_ROLES
    PAYLOADS: ClassVar = payload_rules(
        order=kept("json", "the customers' ids, or places, in the order of the rows"),
        rows=PayloadRule(
            "handles", DATA_ROLES | {Role.ARBITER}, "a random handle a row, of this request alone"
        ),
        task=PayloadRule("bytes", DATA_ROLES, "one a party: which customers the rows are"),
    )
    terms: IdentificationTerms
    secret_commitment: Digest

    def rules(self) -> dict[str, PayloadRule]:
        task = self.PAYLOADS["task"]
        tasks = {task_of(name): only_to(task, name) for name in self.terms.asked}
        return {"order": self.PAYLOADS["order"], "rows": self.PAYLOADS["rows"], **tasks}

    def ended(self, code: str, detail: str) -> IdentificationRejected:
        return IdentificationRejected.model_validate(
            {"code": code, "detail": detail[:LONGEST_DETAIL]}
        )


class CustomersScored(Event):
    """A party's own scores of the rows, with what it needs of the training; private.

    Who the customers are counts towards the quota of each of them (L3).
    """

    PRIVATE: ClassVar = True
    ISSUERS: ClassVar = DATA_ROLES
    PAYLOADS: ClassVar = payload_rules(
        customers=kept("json", "ids in the order of the rows, null for a customer not here"),
        scores=kept("int64", "own scores on the grid, 0 for a customer not here"),
        range=kept("float64", "least and greatest own probability of a training row"),
        outcomes=kept("float64", "labels and joint scores of a sweep's rows; else empty"),
    )
    job: str
    model_id: StreamName
    version: int | None = Field(default=None, ge=1)
    found: int = Field(ge=0)
    key_id: Digest
    modulus: Hexadecimal
    obfuscator_base: Hexadecimal


class ModelRecalled(Event):
    """What the arbiter needs of a training to identify by it: its key and the weights; private."""

    PRIVATE: ClassVar = True
    ISSUERS: ClassVar = frozenset({Role.ARBITER})
    job: str
    model_id: StreamName
    key_id: Digest
    weights: tuple[PartyWeight, ...]


class EncryptedProbabilitiesPosted(Event):
    """[[Norm(P)]] of every row, several rows a ciphertext, under the training's key (L1, L2).

    A customer that the party does not have is encrypted as well: nobody but the arbiter learns
    which rows these are, and the arbiter not who they are.
    """

    ISSUERS: ClassVar = DATA_ROLES
    PAYLOADS: ClassVar = payload_rules(
        handles=sealed_to(Role.ARBITER, "handles", "the rows' handles as they were issued"),
        probabilities=sealed_to(Role.ARBITER, "ciphertexts", "normalised probabilities, packed"),
    )
    rows: int = Field(ge=1)
    key_id: Digest


class CustomersIdentified(Event):
    """Labels, and only labels, for all data parties (L3); of a sweep, levels for the local one.

    `known` rows are customers of every party; of these `labelled` have label 1. Where the request
    asked for scores and every party's policy allowed it, F comes with two digits.
    """

    ISSUERS: ClassVar = frozenset({Role.ARBITER})
    PAYLOADS: ClassVar = payload_rules(
        labels=PayloadRule("int8", DATA_ROLES, "1 or -1 a row; 0: a party lacks the customer"),
        scores=PayloadRule("uint8", DATA_ROLES, "F in hundredths; 255: a party lacks the customer"),
        levels=sealed_to(Role.LOCAL, "uint8", "how many thresholds of the sweep F is above"),
    )
    model_id: StreamName
    purpose: Purpose
    tau: float | None
    rows: int = Field(ge=1)
    known: int = Field(ge=0)
    labelled: int | None = Field(ge=0)
    releases_scores: bool = False

    def rules(self) -> dict[str, PayloadRule]:
        names = ["levels"] if self.purpose == "sweep" else ["labels"]
        names += ["scores"] if self.releases_scores else []
        return {name: self.PAYLOADS[name] for name in names}


class FinalLabelsRecorded(Event):
    """The labels of a request by customer, as every data party keeps them (D3, L3); private."""

    PRIVATE: ClassVar = True
    ISSUERS: ClassVar = DATA_ROLES
    PAYLOADS: ClassVar = payload_rules(
        labels=kept("json", "ids, label 1 or -1 (0: not identified), and F in hundredths or null")
    )
    job: str
    model_id: StreamName
    version: int = Field(ge=1)
    tau: float
    rows: int = Field(ge=1)
    known: int = Field(ge=0)
    labelled: int = Field(ge=0)


class ThresholdFigures(Frozen):
    """Labels at one threshold, on held-out customers; None where nobody is labelled.

    `joint_precision` is that of the joint score, for as many customers.
    """

    tau: float
    labelled: int
    share: float
    precision: float | None
    recall: float
    lift: float | None
    joint_precision: float | None


class ThresholdsCompared(Event):
    """What the thresholds are worth, by the local party's outcomes; private to it."""

    PRIVATE: ClassVar = True
    ISSUERS: ClassVar = frozenset({Role.LOCAL})
    job: str
    model_id: StreamName
    rows: int = Field(ge=1)
    positives: int = Field(ge=0)
    auc: float
    joint_auc: float
    points: tuple[ThresholdFigures, ...]
