"""Identifications in memory, by a model that a simulated federation has trained.

Every party keeps its payloads and its secret; what its tables would give comes from the customers
it has trained on.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from events.identifying import FinalLabelsRecorded, IdentificationTerms
from events.lifecycle import DeadlinePassed, WorkFailed
from handlers.alignment import handles_of
from handlers.awaited import awaited
from handlers.drafts import Draft, Work
from handlers.evaluation import held_out_outcomes
from handlers.history import History
from handlers.identification_arbiter import recall
from handlers.identification_request import (
    label_request,
    own_customers,
    own_task,
    requested,
    sweep_request,
    swept_places,
)
from handlers.identifier import OwnRows, carry_out
from handlers.own import Own
from handlers.policy import Policy
from handlers.prepared import held_out_mask, own_prepared, own_snapshot
from handlers.preparing import common_rows
from handlers.scores import final_weights, held_out_scores
from handlers.tasks import read_task
from learning.fixed_point import Integers, partial_scores
from tests.simulation import SimulatedParty, Simulation


@dataclass(frozen=True)
class Known:
    """What a party has: a score on the grid a customer, and the customers of the held-out rows."""

    scores: Mapping[str, int]
    held_out: Sequence[str]

    @property
    def trained_on(self) -> list[str]:
        held_out = set(self.held_out)
        return [one for one in self.scores if one not in held_out]


def known_customers(party: SimulatedParty) -> Known:
    """The common rows of the training, in and out of it, scored by the final parameters."""
    history, own = party.history, party.own
    assert history is not None
    prepared = own_prepared(history, own)
    weights = final_weights(history, own)
    layout = prepared.layout
    scores: Integers = partial_scores(
        prepared.codes, layout.expand(weights[:-1]), layout.bins, int(weights[-1])
    )
    ids = own_snapshot(history, own).ids
    customers = [ids[row] for row in common_rows(history, own).tolist()]
    mask = held_out_mask(history, own).tolist()
    held_out = [one for one, out in zip(customers, mask, strict=True) if out]
    return Known(dict(zip(customers, scores.tolist(), strict=True)), held_out)


class IdentificationSimulation(Simulation):
    """One request, about a training that `trained` has run."""

    def __init__(
        self,
        trained: Simulation,
        terms: IdentificationTerms,
        seed: int = 0,
        policies: Mapping[str, Policy] | None = None,
        job: str = "identify-1",
    ) -> None:
        super().__init__(terms, {}, trained.key, seed, policies)
        self.job, self.trained = job, trained
        self.silent: set[str] = set()
        self.broken: set[str] = set()
        self.lacking: dict[str, set[str]] = {}
        self.spent: dict[str, set[str]] = {}
        for name, party in self.parties.items():
            before = trained.parties.get(name)
            if before is not None:
                party.own = replace(before.own, policy=party.own.policy, remembered={})
                party.payloads = before.payloads

    def model(self, party: SimulatedParty) -> History:
        history = self.trained[party.name].history
        assert history is not None
        return history

    def ask(self, customers: Sequence[str], own: Own | None = None) -> "IdentificationSimulation":
        terms = self.agreement
        assert isinstance(terms, IdentificationTerms)
        asker = self.parties[terms.asker]
        self._append(asker, label_request(terms, own or asker.own, customers, self.job), None)
        return self

    def sweep(self) -> "IdentificationSimulation":
        terms = self.agreement
        assert isinstance(terms, IdentificationTerms)
        asker = self.parties[terms.asker]
        self._append(asker, sweep_request(terms, asker.own, self.job), None)
        return self

    def settle_until(self, name: str, kind: str, source: str) -> None:
        """Until this stands in the log of the party of this name."""
        party = self.parties[name]
        while (source, kind) not in [(one.source, one.envelope.type) for one in party.facts]:
            self._move(self.random.choice([p for p in self.parties.values() if self._can_move(p)]))

    def pass_deadline(self) -> "IdentificationSimulation":
        asker = self.parties[self.agreement.asker]
        assert asker.history is not None
        passed = DeadlinePassed(job=self.job, waiting_for=awaited(asker.history))
        self._append(asker, Draft(passed, self.job), None)
        self.settle()
        return self

    def labels(self, name: str) -> dict[str, int]:
        """By customer, as a party keeps them."""
        party = self.parties[name]
        assert party.history is not None
        fact = party.history.one(FinalLabelsRecorded)
        document = json.loads(party.own.read(fact.payload("labels")))
        return {
            customer: label
            for customer, label in zip(document["customers"], document["labels"], strict=True)
            if customer is not None
        }

    def _can_move(self, party: SimulatedParty) -> bool:
        return party.name not in self.silent and super()._can_move(party)

    def _work(self, party: SimulatedParty, work: Work) -> Draft:
        assert party.history is not None
        if party.name in self.broken:
            failed = WorkFailed(job=self.job, work="identify", detail="no table")
            return Draft(failed, self.job)
        if work.kind == "recall":
            return recall(party.history, party.own, self.model(party))
        spent = self.spent.get(party.name, set())
        return carry_out(
            party.history,
            party.own,
            self.model(party),
            lambda: self._rows(party),
            lambda customers: len(spent.intersection(customers)),
        )

    def _rows(self, party: SimulatedParty) -> OwnRows:
        history, model = party.history, self.model(party)
        assert history is not None
        terms, known = requested(history), known_customers(self.trained[party.name])
        if terms.purpose == "sweep":
            places = swept_places(history, party.own)
            outcomes = np.empty((2, 0))
            if terms.requester == party.name:
                outcomes = np.stack([one[places] for one in held_out_outcomes(model, party.own)])
            held_out = [known.held_out[place] for place in places]
            scores = held_out_scores(model, party.own)[places]
            return OwnRows(held_out, scores, outcomes=outcomes)
        has = dict(known.scores)
        for customer in self.lacking.get(party.name, set()):
            has.pop(customer, None)
        wanted: list[str | None]
        if terms.requester == party.name:
            wanted = list(own_customers(history, party.own))
        else:
            key, handles = read_task(own_task(history, party.own))
            index = dict(zip(handles_of(key, has), has, strict=True))
            wanted = [index.get(handle) for handle in handles]
        customers = [one if one in has else None for one in wanted]
        scores = np.array([has[one] if one is not None else 0 for one in customers], np.int64)
        return OwnRows(customers, scores, version=1)


def identification_terms(
    trained: Simulation,
    rows: int,
    *,
    requester: str = "bank",
    tau: float | None = 0.5,
    **more: object,
) -> IdentificationTerms:
    """Members as in the training."""
    return IdentificationTerms(
        members=trained.terms.members,
        requester=requester,
        model_id=trained.job,
        purpose="sweep" if tau is None else "labels",
        tau=tau,
        rows=rows,
        **more,  # type: ignore[arg-type]
    )
