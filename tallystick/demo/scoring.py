"""The end of the demo: the model is in tables on both sides, and customers are scored by SQL."""

import time
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from events.lifecycle import WorkFailed
from events.predictions import PartialScoreReturned
from events.vocabulary import Frozen
from handlers.history import History
from handlers.model_life import model_life
from handlers.prepared import held_out_mask, own_snapshot
from handlers.preparing import common_rows
from handlers.scores import held_out_scores
from learning.fixed_point import from_grid
from party.jobs import job_history
from party.opening import Party
from party.predicting import Answer, Wish, answer_of, request_prediction
from scoring.combining import combine
from tallystick.errors import DemoError

MOST_CUSTOMERS = 200
PATIENCE_SECONDS = 120.0
THRESHOLD = 0.5
LARGEST_DIFFERENCE = 1e-9


class ScoredBySql(Frozen):
    """How many held-out customers were scored again, and how far from training's own scores."""

    customers: int
    seconds: float
    largest_difference: float


def score_held_out(parties: Mapping[str, Party], job: str) -> ScoredBySql | None:
    """Ask every party for the scores of some held-out customers.

    None where no customer was held out, or a party has its columns from a mart and no table of its
    own to score. Raises DemoError: a model that was not converted, no answer, or other scores.
    """
    bank = parties["bank"]
    history = job_history(bank.log, job)
    ids, expected = _held_out(history, bank)
    data_parties = [parties[name] for name in history.terms.data_parties]
    if not ids or not all(party.settings.can_score for party in data_parties):
        return None
    wait_until_converted(parties, job)
    began = time.monotonic()
    wish = Wish(job, ids, threshold=THRESHOLD)
    answer = _answer(bank, request_prediction(bank, wish))
    seconds = time.monotonic() - began
    if answer.results is None or not answer.results.scored.all():
        told = answer.rejected.detail if answer.rejected else "customers are missing"
        raise DemoError(f"the model does not score by SQL: {told}")
    difference = float(np.abs(answer.results.values[:, 0] - expected).max())
    if difference > LARGEST_DIFFERENCE:
        raise DemoError(f"scores by SQL differ from training's by {difference:.1e}")
    return ScoredBySql(customers=len(ids), seconds=seconds, largest_difference=difference)


def _held_out(history: History, bank: Party) -> tuple[list[str], NDArray[np.float64]]:
    """The first held-out customers, and their joint scores as the training had them."""
    mask = held_out_mask(history, bank.own)
    rows = common_rows(history, bank.own)[mask][:MOST_CUSTOMERS]
    if not len(rows):
        return [], np.empty(0)
    returned = history.of(PartialScoreReturned)
    parts = [bank.own.array(fact.payload("scores"), "i8") for fact in returned]
    joint = from_grid(np.sum([held_out_scores(history, bank.own), *parts], axis=0))[: len(rows)]
    snapshot = own_snapshot(history, bank.own)
    return [snapshot.ids[row] for row in rows], combine("sigmoid", [joint])


def held_out_customers(history: History, bank: Party) -> list[str]:
    """The first of the customers held out."""
    return _held_out(history, bank)[0]


def wait_until_converted(parties: Mapping[str, Party], job: str) -> None:
    """Until every party with data has its half in its tables. Raises DemoError."""
    waiting = set(job_history(parties["bank"].log, job).terms.data_parties)
    give_up = time.monotonic() + PATIENCE_SECONDS
    while waiting:
        for name in list(waiting):
            history = job_history(parties[name].log, job)
            if failed := history.of(WorkFailed, work="convert"):
                raise DemoError(f"{name} could not convert its half: {failed[0].event.detail}")
            if model_life(history).versions:
                waiting.discard(name)
        if time.monotonic() > give_up:
            raise DemoError(f"not converted at {', '.join(sorted(waiting))}: see `tally log show`")
        time.sleep(0.05)


def _answer(bank: Party, job: str) -> Answer:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up:
        if answer := answer_of(bank, job_history(bank.log, job)):
            return answer
        time.sleep(0.02)
    raise DemoError("no answer to the request for scores: see `tally log show`")
