"""One round of joint training (requirements T4 to T9)."""

from typing import ClassVar, Literal

from pydantic import Field

from events.event import Event, PayloadRule, kept, only_to, payload_rules, sealed_to
from events.vocabulary import DATA_ROLES, Role

Measure = Literal["loss", "predicted decrease"]


class EncryptedScorePosted(Event):
    """[[u]] with u = w_k Z_k of one participant, for every training row (T4).

    One row a ciphertext, or several (the terms' rows_per_ciphertext). Where the residual is of
    second degree, [[u^2]] follows, and the mean of u^2 in the clear.
    """

    VERSION: ClassVar = 2
    ISSUERS: ClassVar = frozenset({Role.PARTICIPANT})
    PAYLOADS: ClassVar = payload_rules(
        scores=sealed_to(Role.LOCAL, "ciphertexts", "encrypted powers of the partial scores"),
        spread=sealed_to(Role.LOCAL, "float64", "mean square of the scores; empty if not used"),
    )
    round: int = Field(ge=1)


class EncryptedResidualPosted(Event):
    """[[g]], the encrypted gradient weight of every training row, packed as the scores were (T5).

    `slope` is the mean multiplier of the scores in g, which scales each party's curvature; a sum
    of the encrypted integers, divided by `scale` and the rows, is a mean gradient.
    """

    VERSION: ClassVar = 2
    ISSUERS: ClassVar = frozenset({Role.LOCAL})
    PAYLOADS: ClassVar = payload_rules(
        residuals=sealed_to(Role.PARTICIPANT, "ciphertexts", "encrypted residuals, re-randomised")
    )
    round: int = Field(ge=1)
    slope: float = Field(gt=0)
    scale: int = Field(ge=1)


class EncryptedGradientPosted(Event):
    """[[gX + R]]: an owner's gradient under a fresh uniform mask, for the arbiter to open (T6)."""

    ISSUERS: ClassVar = DATA_ROLES
    PAYLOADS: ClassVar = payload_rules(
        gradient=sealed_to(Role.ARBITER, "ciphertexts", "masked gradient, several columns each")
    )
    round: int = Field(ge=1)
    ciphertexts: int = Field(ge=1)


class MaskedResultDecrypted(Event):
    """gX + R mod n, returned to its owner alone (T7).

    Where several rows share a ciphertext, only the bits of the slot that holds the sum.
    """

    VERSION: ClassVar = 2
    ISSUERS: ClassVar = frozenset({Role.ARBITER})
    PAYLOADS: ClassVar = payload_rules(
        result=PayloadRule(
            "integers", DATA_ROLES, "masked gradient in the clear: integers mod n, or slots cut"
        )
    )
    round: int = Field(ge=1)
    owner: str
    ciphertexts: int = Field(ge=1)

    def rules(self) -> dict[str, PayloadRule]:
        return {name: only_to(rule, self.owner) for name, rule in self.PAYLOADS.items()}


class ParametersUpdated(Event):
    """A party's own parameters after a round; they never leave it."""

    PRIVATE: ClassVar = True
    ISSUERS: ClassVar = DATA_ROLES
    PAYLOADS: ClassVar = payload_rules(
        weights=kept("int64", "parameters on the grid; an intercept comes last"),
        velocity=kept("int64", "the last step, for the momentum of the next"),
    )
    job: str
    round: int = Field(ge=1)


class LossRecorded(Event):
    """A party's own loss (patent, T8) or the decrease it predicts (default); private."""

    PRIVATE: ClassVar = True
    ISSUERS: ClassVar = DATA_ROLES
    job: str
    round: int = Field(ge=1)
    measure: Measure
    value: float


class StopFlagRaised(Event):
    """A party's stop flag, Enc(0) or Enc(1): only the arbiter learns which (T9)."""

    ISSUERS: ClassVar = DATA_ROLES
    PAYLOADS: ClassVar = payload_rules(
        flag=sealed_to(Role.ARBITER, "ciphertexts", "an encryption of 0 or 1")
    )
    round: int = Field(ge=1)


class RoundCompleted(Event):
    """Not every flag was 1: the next round begins (T9)."""

    ISSUERS: ClassVar = frozenset({Role.ARBITER})
    round: int = Field(ge=1)
