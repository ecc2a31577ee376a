"""The leak budget: how many equations on what it may not know a party receives in a job.

A party sees its own gradients, hence linear equations: a participant on the residuals (labels),
the local party on the participants' scores. Budget = rounds x rank, over rows (design, Why
payloads are sealed).
"""

from events.preparation import FeaturesPrepared, RowsAligned
from handlers.coding import rank, remedy
from handlers.errors import JobError
from handlers.history import History
from handlers.own import Own


def leakage(history: History, party: str) -> float:
    """The share of equations per row that `party` will have received after the last round."""
    features = history.one(FeaturesPrepared, source=party).event
    rows = history.one(RowsAligned).event.training_rows
    return history.terms.optimiser.maximum_rounds * rank(history.terms, features) / rows


def check_leak_budget(history: History, own: Own) -> None:
    """Raise JobError when another party would learn more than the terms and the policy allow.

    Participants that were given the labels (patent profile) learn nothing from residuals.
    """
    terms = history.terms
    exempt = terms.participants if terms.profile == "patent" else ()
    budget = min(terms.leak_budget, own.policy.leak_budget)
    for party in terms.data_parties:
        if (
            party != own.name
            and party not in exempt
            and (share := leakage(history, party)) > budget
        ):
            raise JobError(
                "leak-budget",
                f"{party} would receive {share:.2f} equations a row, the budget of {own.name} is "
                f"{budget}: {remedy(terms)}, fewer rounds, more customers, or a higher "
                "leak_budget that every party accepts",
            )
