"""What a report tells of each job: plain values, ready for a page."""

from dataclasses import dataclass

from events.catalogue import Fact
from events.event import Event
from events.preparation import RowsAligned

# What people call the figures of a model's quality.
FIGURES = {
    "auc": "AUC",
    "ks": "KS",
    "lift": "lift of the top tenth",
    "log_loss": "log-loss",
    "r2": "R²",
    "rmse": "RMSE",
}


@dataclass(frozen=True)
class MemberStory:
    name: str
    role: str
    answer: str
    customers: int | None
    columns: int | None
    fingerprint: str


@dataclass(frozen=True)
class RoundStory:
    """When a round ended, how long it took, and whose flags were sent; what they say is sealed."""

    number: int
    ended: str
    seconds: float
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Curve:
    """A party's measure by round."""

    party: str
    measure: str
    values: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class LeakStory:
    """What a party could have learned: equations received, over unknowns."""

    party: str
    about: str
    rounds: int
    rank: int
    rows: int
    share: float


@dataclass(frozen=True)
class DigestStory:
    what: str
    party: str
    digest: str


@dataclass(frozen=True)
class JobStory:
    """One job. Private facts are told as far as the logs at hand hold them.

    `seconds` is from the request to the newest event; `stops_below` is where a party raises its
    flag, if its measure tells.
    """

    name: str
    kind: str
    state: str
    reason: str
    asked_by: str
    started: str
    ended: str
    seconds: float
    most_rounds: int
    leak_budget: float
    stops_below: float | None
    members: tuple[MemberStory, ...]
    terms: tuple[tuple[str, str], ...]
    rows: RowsAligned | None
    rounds: tuple[RoundStory, ...]
    curves: tuple[Curve, ...]
    leaks: tuple[LeakStory, ...]
    digests: tuple[DigestStory, ...]
    quality: tuple[tuple[str, str, str], ...]
    facts: tuple[Fact[Event], ...]


@dataclass(frozen=True)
class PredictionStory:
    """One request for scores."""

    name: str
    time: str
    asked_by: str
    model: str
    way: str
    rows: int
    outcome: str
