"""Every round of the encrypted protocol equals plain arithmetic, to the bit (T1 to T10)."""

from typing import Any

import numpy as np
import pytest

from events.rounds import LossRecorded, ParametersUpdated
from events.terms import Terms
from handlers.prepared import own_prepared
from handlers.preparing import own_labels
from learning.residuals import Residual
from learning.stopping import StopRule
from paillier.keys import PrivateKey
from tests.handlers.conftest import federation_rows
from tests.oracles.replica import Run, Settings, Side, train
from tests.simulation import Simulation, job_terms


def replica_of(federation: Simulation) -> Run:
    """The same training on the parties' own codes and labels, with no encryption."""
    terms = federation.terms
    sides = []
    for name in terms.data_parties:
        history = federation[name].history
        assert history is not None
        prepared = own_prepared(history, federation[name].own)
        sides.append(Side(prepared.training_codes, prepared.layout))
    bank = federation[terms.local]
    assert bank.history is not None
    return train(sides, own_labels(bank.history, bank.own), settings_of(terms))


def settings_of(terms: Terms) -> Settings:
    holder = terms.intercept_holder
    patent = terms.profile == "patent"
    residual = Residual.TAYLOR if patent else Residual.SMOOTHED
    optimiser = terms.optimiser
    return Settings(
        patent=patent,
        kind=terms.kind,
        intercept=None if holder is None else terms.data_parties.index(holder),
        inverse_penalty=terms.inverse_penalty,
        residual=Residual.LINEAR if terms.kind == "linear" else residual,
        step=optimiser.step,
        momentum=optimiser.momentum,
        stop=StopRule(optimiser.stop_threshold, optimiser.stop_rounds),
        maximum_rounds=optimiser.maximum_rounds,
        pretrained=frozenset(range(len(terms.data_parties))) if patent else frozenset({0}),
    )


@pytest.mark.parametrize("participants", [1, 2])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"profile": "patent"},
        {"kind": "linear"},
        {"intercept": "participant"},
        {"intercept": "none"},
        {"coding": "ordinal"},
        {"coding": "ordinal", "profile": "patent"},
        {"coding": "ordinal", "kind": "linear"},
        {"coding": "ordinal", "intercept": "participant"},
        {"coding": "ordinal", "intercept": "none"},
        {"coding": "ordinal", "intercept": "none", "profile": "patent"},
        {"profile": "patent", "rows_per_ciphertext": 2},
        {"profile": "patent", "rows_per_ciphertext": 1000},
        {"kind": "linear", "rows_per_ciphertext": 3},
        {"coding": "ordinal", "profile": "patent", "rows_per_ciphertext": 3},
    ],
    ids=lambda changes: "-".join(str(value) for value in changes.values()) or "default",
)
def test_every_round_equals_the_plain_replica(
    participants: int, changes: dict[str, Any], key: PrivateKey
) -> None:
    terms = job_terms(participants, maximum_rounds=3, **changes)
    rows = federation_rows(participants, linear=terms.kind == "linear")
    federation = Simulation(terms, rows, key, seed=participants).run()
    replica = replica_of(federation)
    assert replica.rounds == 3
    for place, name in enumerate(terms.data_parties):
        party = federation[name]
        assert party.history is not None
        for number in (1, 2, 3):
            fact = party.history.one(ParametersUpdated, round=number)
            weights = party.own.array(fact.payload("weights"), "i8")
            np.testing.assert_array_equal(weights, replica.weights[number - 1][place])
            value = party.event(LossRecorded, round=number).value
            assert value == pytest.approx(replica.measures[number - 1][place], abs=1e-12)


def test_the_order_in_which_messages_arrive_changes_nothing(key: PrivateKey) -> None:
    """Given ten different schedules, then every party ends with the same parameters (D2)."""
    outcomes = set()
    for seed in range(10):
        federation = Simulation(job_terms(2), federation_rows(2), key, seed=seed).run()
        outcomes.add(
            tuple(
                party.history.one(ParametersUpdated, round=3).payload("weights").commitment
                for party in federation.parties.values()
                if party.rows is not None and party.history is not None
            )
        )
    assert len(outcomes) == 1
