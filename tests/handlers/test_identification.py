"""What a training of the patent profile leaves for identifying customers (L2, L4)."""

from typing import Any

import numpy as np
import pytest

from events.catalogue import Fact
from events.identification import (
    LossPosted,
    PartyWeight,
    ProbabilityRangeRecorded,
    WeightsAnnounced,
)
from events.lifecycle import TrainingFailed, TrainingStopped
from events.rounds import LossRecorded
from handlers.conformance import check_conformance
from handlers.errors import ProtocolError
from handlers.history import History
from handlers.identification import announce_weights
from handlers.scores import final_weights, training_scores_of
from learning.fixed_point import from_grid
from learning.residuals import sigmoid
from paillier.keys import PrivateKey
from tests.handlers.conftest import federation_rows
from tests.simulation import SimulatedParty, Simulation, job_terms


def trained(participants: int, key: PrivateKey, **changes: Any) -> Simulation:
    terms = job_terms(participants, maximum_rounds=2, **changes)
    return Simulation(terms, federation_rows(participants), key, seed=participants).run()


@pytest.fixture(scope="module")
def federation(key: PrivateKey) -> Simulation:
    return trained(1, key, profile="patent")


def test_alpha_and_beta_come_from_the_final_losses(federation: Simulation) -> None:
    """Alpha = 2 L2 / (L1 + L2), beta = 2 L1 / (L1 + L2)."""
    bank = federation["bank"].event(LossRecorded, round=2).value
    partner = federation["partner"].event(LossRecorded, round=2).value
    announced = federation["partner"].event(WeightsAnnounced)
    told = {one.party: one.weight for one in announced.weights}
    assert told["bank"] == pytest.approx(2 * partner / (bank + partner))
    assert told["partner"] == pytest.approx(2 * bank / (bank + partner))


def test_the_weights_of_more_parties_sum_to_their_number(key: PrivateKey) -> None:
    federation = trained(3, key, profile="patent")
    announced = federation["bank"].event(WeightsAnnounced)
    assert [one.party for one in announced.weights] == list(federation.terms.data_parties)
    assert sum(one.weight for one in announced.weights) == pytest.approx(4)
    losses = [federation[one.party].event(LossRecorded, round=2).value for one in announced.weights]
    heaviest = max(announced.weights, key=lambda one: one.weight)
    assert losses.index(min(losses)) == announced.weights.index(heaviest)


def test_a_final_loss_is_for_the_arbiter_alone(federation: Simulation) -> None:
    posted = [fact for fact in federation["arbiter"].facts if isinstance(fact.event, LossPosted)]
    assert {fact.source for fact in posted} == {"bank", "partner"}
    for fact in posted:
        assert fact.payload("loss").readers == ("arbiter",)


@pytest.mark.parametrize("name", ["bank", "partner"])
def test_each_party_keeps_the_range_of_its_own_probabilities(
    name: str, federation: Simulation
) -> None:
    party = federation[name]
    assert party.history is not None
    weights = final_weights(party.history, party.own)
    scores = from_grid(training_scores_of(party.history, party.own, weights))
    recorded = party.history.one(ProbabilityRangeRecorded)
    low, high = party.own.array(recorded.payload("range"), "f8").tolist()
    assert (low, high) == pytest.approx((sigmoid(scores).min(), sigmoid(scores).max()))
    assert 0 < low < high < 1


@pytest.mark.parametrize("changes", [{}, {"profile": "patent", "kind": "linear"}])
def test_no_loss_leaves_a_party_that_does_not_identify(
    changes: dict[str, Any], key: PrivateKey
) -> None:
    federation = trained(1, key, **changes)
    types = {kind for party in federation.parties.values() for kind in party.types()}
    assert "TrainingStopped" in types
    assert not types & {"LossPosted", "WeightsAnnounced", "ProbabilityRangeRecorded"}


def last(party: SimulatedParty, kind: type[Any]) -> Fact[Any]:
    return next(fact for fact in reversed(party.facts) if isinstance(fact.event, kind))


@pytest.mark.parametrize("loss", [0.0, -0.5, float("nan"), float("inf")])
def test_a_loss_that_no_model_has_is_not_weighed(loss: float, federation: Simulation) -> None:
    party = federation["arbiter"]
    posted = last(party, LossPosted)
    content = np.array([loss], "<f8").tobytes()
    reference = posted.payload("loss").model_copy(
        update={"commitment": party.payloads.put(content)}
    )
    forged = Fact(posted.envelope.model_copy(update={"payloads": (reference,)}), posted.event)
    history = History(federation.job, party.facts[: party.facts.index(posted)])
    history.add(forged)
    with pytest.raises(ProtocolError, match="cannot be weighed"):
        announce_weights(history, forged, party.own)


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        (LossPosted, {"round": 1}, "a loss that nobody asked for"),
        (WeightsAnnounced, {"weights": ()}, "do not fit the parties"),
        (
            WeightsAnnounced,
            {
                "weights": (
                    PartyWeight(party="bank", weight=1.5),
                    PartyWeight(party="partner", weight=1.5),
                )
            },
            "do not fit the parties",
        ),
    ],
)
def test_what_cannot_be_is_blamed_on_who_said_it(
    kind: type[Any], changes: dict[str, Any], words: str, federation: Simulation
) -> None:
    party = federation["partner"] if kind is WeightsAnnounced else federation["arbiter"]
    fact = last(party, kind)
    altered = Fact(fact.envelope, fact.event.model_copy(update=changes))
    facts = party.facts[: party.facts.index(fact)]
    with pytest.raises(ProtocolError, match=words):
        check_conformance(History(federation.job, [*facts, altered]), altered)


def test_the_job_has_not_failed(federation: Simulation) -> None:
    history = federation["arbiter"].history
    assert history is not None
    assert history.has(TrainingStopped)
    assert not history.has(TrainingFailed)
