"""The terms of a stream: everything its members agree on before any number moves."""

from abc import abstractmethod
from datetime import timedelta
from typing import Literal

from pydantic import Field, model_validator

from events.escrow import MOST_ESCROWS, EscrowCard
from events.event import PayloadRule
from events.vocabulary import DATA_ROLES, Frozen, PartyName, Role

Kind = Literal["logistic", "linear"]
Profile = Literal["default", "patent"]
InterceptAt = Literal["local", "participant", "none"]
Coding = Literal["one-hot", "ordinal"]
Alignment = Literal["hash", "psi", "mart"]


class Member(Frozen):
    name: PartyName
    role: Role


class Agreement(Frozen):
    """What every kind of stream says first: who takes part, who asks, and by when to answer."""

    members: tuple[Member, ...]

    @property
    @abstractmethod
    def asker(self) -> str:
        """The party that opens the stream, and that answers are for."""

    @property
    @abstractmethod
    def patience(self) -> timedelta:
        """How long the party that asks waits for the others."""

    def named(self, *roles: Role) -> tuple[str, ...]:
        return tuple(member.name for member in self.members if member.role in roles)

    def role_of(self, name: str) -> Role | None:
        for member in self.members:
            if member.name == name:
                return member.role
        return None

    def readers(self, rule: PayloadRule) -> tuple[str, ...]:
        """The members that a payload is sealed to, sorted."""
        names = [member.name for member in self.members if member.role in rule.readers]
        if rule.only is not None:
            names = [name for name in names if name in rule.only]
        if rule.for_asker:
            names = [name for name in names if name == self.asker]
        return tuple(sorted(names))

    @property
    def data_parties(self) -> tuple[str, ...]:
        return self.named(*DATA_ROLES)


class WithNobody(Agreement):
    """Of what a party notes for itself, outside of any stream."""

    members: tuple[Member, ...] = ()

    @property
    def asker(self) -> str:
        return ""

    @property
    def patience(self) -> timedelta:
        return timedelta()


def check_names_differ(members: tuple[Member, ...]) -> None:
    if len({member.name for member in members}) != len(members):
        raise ValueError("a party is named twice among the members")


class Optimiser(Frozen):
    """Steps of the training and when it stops (requirements T9; design, Training mathematics).

    The default profile preconditions (`step` is rho), the patent profile descends plainly
    (`step` is the learning rate). `stop_threshold` is a loss change in the patent profile and a
    predicted decrease of the loss in the default one; both must hold for `stop_rounds` in a row.
    """

    step: float = Field(gt=0, le=100)
    momentum: float = Field(ge=0, lt=1)
    stop_threshold: float = Field(gt=0)
    stop_rounds: int = Field(ge=1, le=1000)
    maximum_rounds: int = Field(ge=1, le=1000)


class Terms(Agreement):
    """One training job, as signed by the party that asked for it.

    `rows_per_ciphertext` customers share a ciphertext, fewer where the key has no room for them;
    None lets the counted work decide. Only where the residual scales all customers alike. What is
    sealed for a member can be opened by the `escrows` as well.
    """

    kind: Kind = "logistic"
    profile: Profile = "default"
    intercept: InterceptAt = "local"
    alignment: Alignment = "hash"
    coding: Coding = "one-hot"
    optimiser: Optimiser
    inverse_penalty: float = Field(default=0.1, gt=0, le=1e6)
    folds: int = Field(default=5, ge=2, le=1000)
    held_out_fold: int = Field(default=0, ge=0)
    smallest_bin: int = Field(default=20, ge=1)
    smallest_overlap: int = Field(default=100, ge=1)
    leak_budget: float = Field(default=0.5, gt=0)
    answer_within_minutes: int = Field(default=1440, ge=1, le=525_600)  # a year
    label_unit: float = Field(default=1.0, gt=0)
    key_bits: int = Field(default=2048, ge=256, le=8192)
    short_key_for_tests: bool = False
    rows_per_ciphertext: int | None = Field(default=None, ge=1, le=1000)
    escrows: tuple[EscrowCard, ...] = Field(default=(), max_length=MOST_ESCROWS)

    @model_validator(mode="after")
    def _members_make_a_job(self) -> "Terms":
        check_names_differ(self.members)
        if len({escrow.name for escrow in self.escrows}) != len(self.escrows):
            raise ValueError("an escrow is named twice")
        for role, least, most in (
            (Role.LOCAL, 1, 1),
            (Role.ARBITER, 1, 1),
            (Role.PARTICIPANT, 1, 64),
        ):
            if not least <= len(self.named(role)) <= most:
                raise ValueError(f"a job needs {least} to {most} parties with role {role}")
        marts = self.named(Role.MART)
        if (self.alignment == "mart") != bool(marts):
            raise ValueError('a job with a mart has alignment = "mart", and no other job has')
        if marts and (len(marts), len(self.participants)) != (1, 1):
            raise ValueError("a job with a mart has one mart, and one participant that it serves")
        if self.named(Role.INITIATOR):
            raise ValueError("an initiator takes no part in a training")
        if self.key_bits < 2048 and not self.short_key_for_tests:
            raise ValueError(
                f"a key of {self.key_bits} bits is too short: use 2048 or more "
                "(short_key_for_tests = true allows it in tests only)"
            )
        if self.held_out_fold >= self.folds:
            raise ValueError("held_out_fold must be below folds")
        one_multiplier = self.kind == "linear" or self.profile == "patent"
        if self.rows_per_ciphertext not in {None, 1} and not one_multiplier:
            raise ValueError(
                "rows_per_ciphertext must be 1: the default profile's residual scales every "
                "customer by a factor of its own (several share in the patent profile and in "
                "linear regression)"
            )
        return self

    @property
    def asker(self) -> str:
        return self.local

    @property
    def patience(self) -> timedelta:
        return timedelta(minutes=self.answer_within_minutes)

    @property
    def local(self) -> str:
        return self.named(Role.LOCAL)[0]

    @property
    def arbiter(self) -> str:
        return self.named(Role.ARBITER)[0]

    @property
    def asked(self) -> tuple[str, ...]:
        """Everybody whose answer the local party waits for."""
        return self.named(Role.PARTICIPANT, Role.MART, Role.ARBITER)

    @property
    def mart(self) -> str | None:
        """The mart that delivers the participant's features (requirement A1)."""
        return next(iter(self.named(Role.MART)), None)

    @property
    def participants(self) -> tuple[str, ...]:
        return self.named(Role.PARTICIPANT)

    @property
    def intercept_holder(self) -> str | None:
        """The party that trains the intercept (requirements T10, C2)."""
        if self.intercept == "none":
            return None
        return self.local if self.intercept == "local" else self.participants[0]
