"""A data party's part of a prediction: may it answer, and what it answers (requirement S2).

The scores themselves are work: an engine of the party's own makes them, outside any transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from events.catalogue import Fact
from events.lifecycle import MessageRefused, WorkFailed
from events.models import ModelSaved
from events.predictions import (
    Combination,
    PartialScoreReturned,
    PredictionRequested,
    PredictionTerms,
    RejectionCode,
)
from handlers.drafts import Decision, Draft, Work, draft, vector
from handlers.handler import Reactions
from handlers.history import History
from handlers.model_life import model_life
from handlers.own import Own
from handlers.policy import Policy
from handlers.refusals import reject_when_refused, rejection
from scoring.results import FOUND, NOT_FOUND


@dataclass(frozen=True)
class Part:
    """Partial scores float64[rows, outputs], and bool[rows]: which customers are here."""

    scores: NDArray[np.float64]
    found: NDArray[np.bool_]
    combination: Combination
    version: int


Objection = tuple[RejectionCode, str]
# Scores of a version of the model for the customers of the task.
Score = Callable[[int], Part]


def take_task(history: History, _fact: Fact[PredictionRequested], _own: Own) -> Decision:
    return [Work("score", history.job)]


def reject_without_scores(history: History, fact: Fact[WorkFailed], own: Own) -> Decision:
    if fact.event.work != "score":
        return []
    detail = f"{own.name} cannot score the customers; its operator finds the reason in its log"
    return [rejection(history, "data", detail)]


def carry_out(
    history: History, own: Own, model: History, rows_within_hour: int, score: Score
) -> Draft:
    """The work on a task: refuse it, or answer it with what `score` makes.

    `model` is what the log says under the model's id, `rows_within_hour` what this party has
    answered to this requester for this model in the last hour.
    """
    terms = history.one(PredictionRequested).event.terms
    if told := objection(terms, model, own, rows_within_hour):
        return rejection(history, *told)
    version = model_life(model).active
    assert version is not None, "a model without an active version is objected to"  # noqa: S101
    return answer(history, own, score(version))


def objection(
    terms: PredictionTerms, model: History, own: Own, rows_within_hour: int
) -> Objection | None:
    """Why this party does not answer a task, or None; see `carry_out`."""
    foreign = terms.initiator != own.name
    if foreign and (told := _untrusted(terms, own.policy)):
        return "untrusted-requester", told
    if told_of_model := _objection_to_model(terms, model, own.name):
        return told_of_model
    limit = own.policy.scoring_rows_an_hour
    if foreign and limit is not None and rows_within_hour + terms.rows > limit:
        return "rate-limit", (
            f"{own.name} answers at most {limit} rows an hour for {terms.model_id}, of which "
            f"{max(0, limit - rows_within_hour)} are left"
        )
    return None


def _objection_to_model(terms: PredictionTerms, model: History, name: str) -> Objection | None:
    life = model_life(model)
    if not life.versions:
        return "unknown-model", f"{name} has no model {terms.model_id} in its model table"
    if model.is_known:
        if not model.has(ModelSaved, source=name):
            return "not-a-member", f"{name} took no part in the training of {terms.model_id}"
        if set(terms.data_parties) != set(model.terms.data_parties):
            parties = ", ".join(model.terms.data_parties)
            return "not-a-member", f"the model {terms.model_id} is one of {parties}, all together"
    if life.withdrawn_by:
        parties = ", ".join(life.withdrawn_by)
        return "consent-withdrawn", f"{parties} withdrew the consent to use {terms.model_id}"
    if life.active is None:
        return "retired", f"{name} has retired the model {terms.model_id}"
    return None


def answer(history: History, own: Own, part: Part) -> Draft:
    """The part as the initiator gets it: rounded by the policy, NaN where not found."""
    scores = part.scores
    if own.policy.score_digits is not None and history.agreement.asker != own.name:
        scores = np.round(scores, own.policy.score_digits)
    scores = np.where(part.found[:, None], scores, np.nan)
    status = np.where(part.found, FOUND, NOT_FOUND).astype(np.uint8)
    event = PartialScoreReturned(
        rows=len(scores),
        outputs=scores.shape[1],
        combination=part.combination,
        model_version=part.version,
    )
    payloads = vector("scores", scores), vector("status", status)
    return draft(event, history.job, history.agreement, *payloads, issuer=own.name)


def _untrusted(terms: PredictionTerms, policy: Policy) -> str | None:
    if not policy.scoring_requesters or terms.initiator in policy.scoring_requesters:
        return None
    return f"{terms.initiator} is not among the parties whose requests for scores are answered"


REACTIONS: Reactions = {
    PredictionRequested: take_task,
    WorkFailed: reject_without_scores,
    MessageRefused: reject_when_refused,
}
