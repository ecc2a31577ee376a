"""What identifying customers needs of a training of the patent profile (requirements L2, L4)."""

from typing import ClassVar

from pydantic import Field

from events.event import Event, kept, payload_rules, sealed_to
from events.vocabulary import DATA_ROLES, Frozen, PartyName, Role


class LossPosted(Event):
    """A party's own loss after the last round, for the arbiter: its weight is made of it (L4)."""

    ISSUERS: ClassVar = DATA_ROLES
    PAYLOADS: ClassVar = payload_rules(
        loss=sealed_to(Role.ARBITER, "float64", "mean loss of the party's own scores (T8)")
    )
    round: int = Field(ge=1)


class ProbabilityRangeRecorded(Event):
    """Least and greatest own probability of a training row: how the party normalises (L2, L4)."""

    PRIVATE: ClassVar = True
    ISSUERS: ClassVar = DATA_ROLES
    PAYLOADS: ClassVar = payload_rules(range=kept("float64", "least and greatest probability"))
    job: str


class PartyWeight(Frozen):
    party: PartyName
    weight: float = Field(gt=0)


class WeightsAnnounced(Event):
    """Alpha and beta: how much each party's probabilities weigh; their sum is the parties (L4).

    The smaller a party's loss, the larger its weight: the losses' ratios are public from here on.
    """

    ISSUERS: ClassVar = frozenset({Role.ARBITER})
    weights: tuple[PartyWeight, ...]
