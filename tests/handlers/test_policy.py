"""A party takes part by its own rules (D2, T10)."""

from typing import Any

import pytest

from events.terms import Terms
from handlers.policy import Policy, refusal
from tests.simulation import job_terms


def sensible_terms(**changes: Any) -> Terms:
    return job_terms(
        key_bits=2048,
        short_key_for_tests=False,
        leak_budget=0.5,
        smallest_bin=20,
        smallest_overlap=100,
        **changes,
    )


def test_sensible_terms_are_accepted_by_default() -> None:
    assert refusal(sensible_terms(), Policy()) is None


@pytest.mark.parametrize(
    ("terms", "policy", "reason"),
    [
        (sensible_terms(), Policy(requesters=("other-bank",)), "not among the parties"),
        (sensible_terms(kind="linear"), Policy(kinds=("logistic",)), "linear regression"),
        (sensible_terms(profile="patent"), Policy(profiles=("default",)), "patent profile"),
        (sensible_terms(), Policy(leak_budget=0.1), "leak budget 0.5"),
        (sensible_terms(), Policy(smallest_overlap=1000), "overlap of 100"),
        (sensible_terms(), Policy(smallest_bin=50), "bins of 20"),
        (sensible_terms(maximum_rounds=9), Policy(maximum_rounds=8), "9 rounds"),
        (job_terms(leak_budget=0.5), Policy(smallest_bin=1, smallest_overlap=1), "512 bits"),
    ],
)
def test_terms_outside_the_policy_are_declined_with_the_reason(
    terms: Terms, policy: Policy, reason: str
) -> None:
    assert reason in (refusal(terms, policy) or "")
