"""What a training leaves for identifying customers by it (requirements L2, L4; patent profile)."""

import numpy as np

from events.catalogue import Fact
from events.identification import (
    LossPosted,
    PartyWeight,
    ProbabilityRangeRecorded,
    WeightsAnnounced,
)
from events.lifecycle import TrainingStopped
from events.rounds import LossRecorded
from events.terms import Terms
from handlers.drafts import Decision, Draft, draft, vector
from handlers.errors import ProtocolError
from handlers.history import History
from handlers.own import Own
from handlers.scores import final_weights, training_scores_of
from learning.errors import LearningError
from learning.fixed_point import from_grid
from learning.residuals import sigmoid
from learning.weighing import combination_weights

# Floats that enter an event are rounded, so that the last bits of a processor do not.
DIGITS = 12


def identifies(terms: Terms) -> bool:
    """Whether customers can be identified by the model: the source's method, and probabilities."""
    return terms.profile == "patent" and terms.kind == "logistic"


def prepare_identification(history: History, own: Own) -> list[Draft]:
    """The own final loss for the arbiter, and the range of the own probabilities to keep."""
    terms = history.terms
    if not identifies(terms):
        return []
    last = history.one(TrainingStopped).event.round
    loss = np.array([history.one(LossRecorded, round=last).event.value])
    scores = training_scores_of(history, own, final_weights(history, own))
    probabilities = sigmoid(from_grid(scores))
    extremes = np.round([probabilities.min(), probabilities.max()], DIGITS)
    recorded = ProbabilityRangeRecorded(job=history.job)
    return [
        draft(recorded, history.job, terms, vector("range", extremes)),
        draft(LossPosted(round=last), history.job, terms, vector("loss", loss)),
    ]


def announce_weights(history: History, _fact: Fact[LossPosted], own: Own) -> Decision:
    """The arbiter, once it has everybody's final loss."""
    terms = history.terms
    if not history.has_from_all(LossPosted, terms.data_parties):
        return []
    losses = [_loss(history.one(LossPosted, source=name), own) for name in terms.data_parties]
    try:
        weights = combination_weights(losses)
    except LearningError as error:
        raise ProtocolError(f"the final losses cannot be weighed: {error}") from None
    announced = WeightsAnnounced(
        weights=tuple(
            PartyWeight(party=name, weight=round(weight, DIGITS))
            for name, weight in zip(terms.data_parties, weights, strict=True)
        )
    )
    return [draft(announced, history.job, terms)]


def check_loss(history: History, fact: Fact[LossPosted]) -> None:
    """One number, of the last round, and only where the source's method is agreed on."""
    stopped = history.of(TrainingStopped)
    is_last = bool(stopped) and stopped[0].event.round == fact.event.round
    if not identifies(history.terms) or not is_last or fact.payload("loss").shape != (1,):
        raise ProtocolError(f"{fact.source} posts a loss that nobody asked for")


def check_weights(history: History, fact: Fact[WeightsAnnounced]) -> None:
    """A weight for every party with data, as many in sum as there are of them."""
    weights, parties = fact.event.weights, history.terms.data_parties
    total = sum(one.weight for one in weights)
    if tuple(one.party for one in weights) != parties or abs(total - len(parties)) > 1e-6:
        raise ProtocolError(f"{fact.source} announces weights that do not fit the parties")


def _loss(fact: Fact[LossPosted], own: Own) -> float:
    (loss,) = own.array(fact.payload("loss"), "f8").tolist()
    return float(loss)
