"""A finished job against the plain numpy replica, bit by bit, and against pooling all rows."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from events.models import ModelSaved
from events.rounds import ParametersUpdated
from events.terms import Terms
from handlers.history import History
from handlers.keys import residual_of
from handlers.prepared import held_out_mask, own_prepared, own_snapshot
from handlers.preparing import common_rows, own_labels
from learning.fixed_point import from_grid
from learning.layout import Layout
from learning.quality import logistic_quality
from learning.reference import pooled_reference
from learning.stopping import StopRule
from party.jobs import job_history
from party.opening import Party
from scoring.models.trained import Model
from tests.oracles.replica import Settings, Side, train


@dataclass(frozen=True)
class Comparison:
    """`rounds` that were compared, every parameter of every party in each of them."""

    rounds: int
    equal: bool


def compare_with_replica(parties: Mapping[str, Party], job: str) -> Comparison:
    """Train in the clear on what the parties prepared; the model documents must agree too."""
    histories = {name: job_history(party.log, job) for name, party in parties.items()}
    terms = next(iter(histories.values())).terms
    sides = []
    for name in terms.data_parties:
        prepared = own_prepared(histories[name], parties[name].own)
        sides.append(Side(prepared.training_codes, prepared.layout))
    bank = parties[terms.local]
    run = train(sides, own_labels(histories[terms.local], bank.own), settings_of(terms))
    equal = True
    for place, name in enumerate(terms.data_parties):
        own, history = parties[name].own, histories[name]
        for number, weights in enumerate(run.weights, start=1):
            fact = history.one(ParametersUpdated, round=number)
            found = own.array(fact.payload("weights"), "i8")
            equal = equal and np.array_equal(found, weights[place])
        equal = equal and len(history.of(ParametersUpdated)) == run.rounds
        layout, last = sides[place].layout, run.weights[-1][place]
        equal = equal and _bin_weights(history, parties[name]) == [
            *from_grid(layout.expand(last[:-1])).tolist(),
            float(from_grid(last[-1])),
        ]
    return Comparison(run.rounds, equal)


def settings_of(terms: Terms) -> Settings:
    holder, optimiser = terms.intercept_holder, terms.optimiser
    return Settings(
        kind=terms.kind,
        intercept=None if holder is None else terms.data_parties.index(holder),
        inverse_penalty=terms.inverse_penalty,
        residual=residual_of(terms),
        step=optimiser.step,
        momentum=optimiser.momentum,
        stop=StopRule(optimiser.stop_threshold, optimiser.stop_rounds),
        maximum_rounds=optimiser.maximum_rounds,
        pretrained=frozenset({terms.data_parties.index(terms.local)}),
    )


def pooled_auc(parties: Mapping[str, Party], job: str) -> float:
    """scikit-learn on all parties' columns in one table, on the rows held out."""
    histories = {name: job_history(party.log, job) for name, party in parties.items()}
    terms = next(iter(histories.values())).terms
    prepared = [own_prepared(histories[name], parties[name].own) for name in terms.data_parties]
    bank, history = parties[terms.local].own, histories[terms.local]
    held_out = held_out_mask(history, bank)
    labels = np.asarray(own_snapshot(history, bank).label)[common_rows(history, bank)]
    scores = pooled_reference(
        np.vstack([one.codes for one in prepared]),
        Layout.joined(one.layout for one in prepared),
        labels,
        ~held_out,
        kind=terms.kind,
        inverse_penalty=terms.inverse_penalty,
    )
    return logistic_quality(scores[held_out], labels[held_out]).auc


def _bin_weights(history: History, party: Party) -> list[float | None]:
    """Of every bin in the model document that a party kept, and its constant."""
    saved = history.one(ModelSaved, source=party.name)
    model = Model.model_validate_json(party.own.read(saved.payload("model")))
    return [*(one.weight for cut in model.variables for one in cut.bins), model.intercept]
