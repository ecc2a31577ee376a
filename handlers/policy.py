"""What a party agrees to: its own rules, in its own configuration."""

from typing import Literal

from pydantic import Field

from events.escrow import EscrowCard
from events.terms import Alignment, Kind, Profile, Terms
from events.vocabulary import Frozen, PartyName


class Policy(Frozen):
    """Limits that a job's terms must keep. An empty `requesters` admits every trusted party.

    `leak_budget` is rounds x rank of what an owner learns, over rows; a job that states a higher
    budget than this one is declined (design, Why payloads are sealed). `intersections_per_day` is
    for each requester, and `largest_set` the most customers it may bring: whoever may compare any
    number of sets learns who is a customer here by trying all telephone numbers (A2).
    Requests for scores are answered for `scoring_requesters`, at most `scoring_rows_an_hour` for
    each of them and model, rounded to `score_digits` after the point where that is set.
    Customers are identified for `identification_requesters`, each at most `labels_per_customer`
    times by one model: every label says on which side of a threshold a customer is. What was
    compared, F, is told with two digits only where every party says `release_scores`.
    Escrows open all that a job's members seal for each other: none is accepted but `escrows`.
    Another party's new keys are accepted when its trusted card vouches for them, or only once the
    operator has trusted the new card (`new_keys` is "ask").
    """

    requesters: tuple[PartyName, ...] = ()
    kinds: tuple[Kind, ...] = ("logistic", "linear")
    profiles: tuple[Profile, ...] = ("default", "patent")
    alignments: tuple[Alignment, ...] = ("hash", "psi", "mart")
    intersections_per_day: int = Field(default=20, ge=0)
    largest_set: int = Field(default=10_000_000, ge=1)
    leak_budget: float = Field(default=0.5, gt=0)
    smallest_overlap: int = Field(default=100, ge=1)
    smallest_bin: int = Field(default=20, ge=1)
    maximum_rounds: int = Field(default=1000, ge=1)
    accept_short_keys: bool = False
    scoring_requesters: tuple[PartyName, ...] = ()
    scoring_rows_an_hour: int | None = Field(default=1_000_000, ge=1)
    score_digits: int | None = Field(default=None, ge=0, le=15)
    identification_requesters: tuple[PartyName, ...] = ()
    labels_per_customer: int = Field(default=10, ge=0)
    release_scores: bool = False
    escrows: tuple[EscrowCard, ...] = ()
    new_keys: Literal["accept", "ask"] = "accept"


def refusal(terms: Terms, policy: Policy) -> str | None:
    """Why this policy declines these terms, or None (requirements T10, D2)."""
    objections = (
        (
            bool(policy.requesters) and terms.local not in policy.requesters,
            f"{terms.local} is not among the parties whose jobs are accepted",
        ),
        (terms.kind not in policy.kinds, f"{terms.kind} regression is not accepted"),
        (terms.profile not in policy.profiles, f"the {terms.profile} profile is not accepted"),
        (
            terms.alignment not in policy.alignments,
            f"alignment by {terms.alignment} is not accepted",
        ),
        (
            terms.leak_budget > policy.leak_budget,
            f"the leak budget {terms.leak_budget} is above this party's {policy.leak_budget}",
        ),
        (
            terms.smallest_overlap < policy.smallest_overlap,
            f"an overlap of {terms.smallest_overlap} is below this party's least",
        ),
        (
            terms.smallest_bin < policy.smallest_bin,
            f"bins of {terms.smallest_bin} customers are smaller than this party's least",
        ),
        (
            terms.optimiser.maximum_rounds > policy.maximum_rounds,
            f"{terms.optimiser.maximum_rounds} rounds are more than this party allows",
        ),
        (
            terms.key_bits < 2048 and not policy.accept_short_keys,
            f"a key of {terms.key_bits} bits is too short (accept_short_keys is for tests)",
        ),
        (
            not set(terms.escrows) <= set(policy.escrows),
            f"this party's policy knows no escrow {_strangers(terms, policy)} with such a key",
        ),
    )
    return next((reason for applies, reason in objections if applies), None)


def _strangers(terms: Terms, policy: Policy) -> str:
    return ", ".join(escrow.name for escrow in terms.escrows if escrow not in policy.escrows)
