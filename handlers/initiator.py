"""Whoever asks for a prediction: one task a party out, the parts combined (requirements S1, S3)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from events.catalogue import Fact
from events.lifecycle import DeadlinePassed, MessageRefused
from events.predictions import (
    Combination,
    Missing,
    PartialScoreReturned,
    PredictionCompleted,
    PredictionRequested,
    PredictionTerms,
    task_of,
)
from events.versions import only
from handlers.drafts import Decision, Draft, blob, draft
from handlers.errors import ProtocolError
from handlers.handler import Reactions
from handlers.history import History
from handlers.own import Own, secret_commitment
from handlers.refusals import reject_when_refused, rejection
from handlers.tasks import serving_key, write_task
from scoring.combining import combine
from scoring.results import NOT_FOUND, Results, encode_results
from scoring.texts import json_list, read_document

# The last bits of a processor's exp do not enter an event.
DIGITS = 12
ROWS_AT_ONCE = 1 << 18
THRESHOLD = pa.schema([("threshold", pa.float64())])


@dataclass(frozen=True)
class Order:
    """What the initiator keeps of a request: the ids, in order, and the threshold of the labels."""

    ids: Sequence[str]
    threshold: float | None = None


def prediction_request(terms: PredictionTerms, own: Own, order: Order, job: str) -> Draft:
    """The first event of a prediction; a command or a request asks for it, not a handler."""
    threshold = json.dumps(order.threshold).encode()
    kept = b"".join([b'{"ids": ', json_list(order.ids), b', "threshold": ', threshold, b"}"])
    tasks = [
        blob(task_of(name), write_task(serving_key(own, terms.model_id, name), order.ids))
        for name in terms.asked
    ]
    requested = PredictionRequested(
        terms=terms,
        secret_commitment=secret_commitment(own.secret, job),
        speaks=only(own.speaks.newest),
    )
    return draft(requested, job, terms, blob("order", kept), *tasks)


def own_order(history: History, own: Own) -> Order:
    content = own.read(history.one(PredictionRequested).payload("order"))
    kept = read_document(content, THRESHOLD)
    return Order(kept["ids"], kept["threshold"])


def unanswered(history: History) -> tuple[str, ...]:
    """The parties with data whose part is not here."""
    parties = history.agreement.data_parties
    return tuple(name for name in parties if not history.has(PartialScoreReturned, source=name))


def combine_when_all_returned(
    history: History, _fact: Fact[PartialScoreReturned], own: Own
) -> Decision:
    """The joint scores of the customers that every party has (S3); the others are named."""
    if history.agreement.asker != own.name or unanswered(history):
        return []
    terms = history.one(PredictionRequested).event.terms
    facts = [history.one(PartialScoreReturned, source=name) for name in terms.data_parties]
    combination, version = _agreed(facts)
    status = np.stack([_status(fact, own) for fact in facts], axis=1)
    parts = [own.array(fact.payload("scores"), "f8") for fact in facts]
    order = own_order(history, own)
    results = Results(
        ids=order.ids,
        parties=terms.data_parties,
        combination=combination,
        values=_combined(combination, facts, parts, status),
        status=status,
    )
    completed = PredictionCompleted(
        job=history.job,
        model_id=terms.model_id,
        model_version=version,
        rows=terms.rows,
        scored=int(results.scored.sum()),
        missing=tuple(
            Missing(party=name, rows=int(column.sum()))
            for name, column in zip(terms.data_parties, status.T, strict=True)
        ),
        threshold=order.threshold,
    )
    return [draft(completed, history.job, terms, blob("results", encode_results(results)))]


def reject_at_deadline(history: History, _fact: Fact[DeadlinePassed], own: Own) -> Decision:
    waiting = unanswered(history)
    if not waiting or history.agreement.asker != own.name:
        return []  # the last answer came while the timer spoke
    return [rejection(history, "deadline", f"no answer in time from {', '.join(waiting)}")]


def _agreed(facts: Sequence[Fact[PartialScoreReturned]]) -> tuple[Combination, int]:
    """How the parts belong together. Raises ProtocolError unless all parties say the same."""
    first = facts[0].event
    for fact in facts[1:]:
        event = fact.event
        if (event.outputs, event.combination) != (first.outputs, first.combination):
            raise ProtocolError(
                f"{facts[0].source} and {fact.source} have models of different kinds under this id"
            )
        if event.model_version != first.model_version:
            raise ProtocolError(
                f"{facts[0].source} serves version {first.model_version}, {fact.source} version "
                f"{event.model_version}: halves of one version belong together "
                "(`tally model activate`)"
            )
    if first.combination is None or first.model_version is None:
        raise ProtocolError(f"{facts[0].source} does not say what its scores are")
    return first.combination, first.model_version


def _status(fact: Fact[PartialScoreReturned], own: Own) -> NDArray[np.uint8]:
    status: NDArray[np.uint8] = own.array(fact.payload("status"), "u1")
    if (status > NOT_FOUND).any():
        raise ProtocolError(f"{fact.source} tells a status that there is not")
    return status


def _combined(
    combination: Combination,
    facts: Sequence[Fact[PartialScoreReturned]],
    parts: Sequence[NDArray[np.float64]],
    status: NDArray[np.uint8],
) -> NDArray[np.float64]:
    """float64[rows, outputs], NaN where a party lacks the customer: nothing is filled in."""
    values: NDArray[np.float64] = np.full(parts[0].shape, np.nan)
    for start in range(0, len(values), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        for fact, part, missing in zip(facts, parts, status[rows].T, strict=True):
            if not np.isfinite(part[rows][missing == 0]).all():
                raise ProtocolError(f"{fact.source} returned scores that are no numbers")
        known = ~status[rows].any(axis=1)
        if known.any():
            joint = combine(combination, [part[rows][known] for part in parts])
            values[rows][known] = np.round(joint, DIGITS)
    return values


REACTIONS: Reactions = {
    PartialScoreReturned: combine_when_all_returned,
    DeadlinePassed: reject_at_deadline,
    MessageRefused: reject_when_refused,
}
