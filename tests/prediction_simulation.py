"""Predictions in memory: the real handlers of a federation, and scores from plain dictionaries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from events.catalogue import CATALOGUE, Fact
from events.envelope import Envelope, event_id
from events.event import Event
from events.lifecycle import DeadlinePassed, WorkFailed
from events.models import ConsentRevoked, ModelActivated, ModelConverted, ModelRetired
from events.predictions import (
    Combination,
    PredictionCompleted,
    PredictionRequested,
    PredictionTerms,
    task_of,
)
from events.terms import Member
from events.vocabulary import PRIVATE_STREAM, Role
from handlers.alignment import handles_of
from handlers.awaited import awaited
from handlers.drafts import Draft, Work
from handlers.history import History
from handlers.initiator import Order, own_order, prediction_request
from handlers.own import Own
from handlers.policy import Policy
from handlers.scorer import Part, carry_out
from handlers.tasks import read_task
from paillier.keys import PrivateKey
from scoring.results import Results, decode_results
from tests.simulation import TIME, SimulatedParty, Simulation

MODEL = "spring"
NOBODYS_KEY = PrivateKey(p=3, q=5, hs=1)


@dataclass(frozen=True)
class Half:
    """A party's half of a model, as the scores it gives; `life` is what happened to it since."""

    scores: Mapping[str, Sequence[float]]
    combination: Combination = "sigmoid"
    life: Sequence[Event] = ()
    rows_within_hour: int = 0
    is_broken: bool = False

    @property
    def outputs(self) -> int:
        return len(next(iter(self.scores.values()), (0.0,)))

    def history(self, party: str) -> History:
        return History(MODEL, facts_of_model(party, self.life or (converted(),)))


def converted(version: int = 1) -> ModelConverted:
    return ModelConverted(
        job=MODEL, version=version, kind="logistic", outputs=1, digest="0" * 64, origin="file"
    )


def activated(version: int, instead_of: int | None = None) -> ModelActivated:
    return ModelActivated(job=MODEL, version=version, instead_of=instead_of)


RETIRED, REVOKED = ModelRetired(job=MODEL), ConsentRevoked()


def facts_of_model(party: str, events: Sequence[Event]) -> list[Fact[Event]]:
    """What happened to a model, as facts in the party's log."""
    facts = []
    for sequence, event in enumerate(events):
        stream = PRIVATE_STREAM if event.PRIVATE else MODEL
        envelope = Envelope(
            id=event_id(party, stream, sequence),
            type=event.type_name(),
            schemaversion=event.VERSION,
            source=party,
            stream=stream,
            sequence=sequence,
            previous=None,
            cause=None,
            time=TIME,
            data=event.model_dump(mode="json"),
        )
        facts.append(CATALOGUE.read(envelope))
    return facts


class PredictionSimulation(Simulation):
    """One prediction of one model, every party with data scoring from its `Half`."""

    def __init__(
        self,
        terms: PredictionTerms,
        ids: Sequence[str],
        halves: Mapping[str, Half],
        seed: int = 0,
        policies: Mapping[str, Policy] | None = None,
        threshold: float | None = None,
    ) -> None:
        super().__init__(
            terms, {}, NOBODYS_KEY, seed, policies or {m.name: Policy() for m in terms.members}
        )
        self.order, self.halves = Order(tuple(ids), threshold), dict(halves)
        self.silent: set[str] = set()

    def ask(self) -> "PredictionSimulation":
        asker = self.parties[self.agreement.asker]
        assert isinstance(self.agreement, PredictionTerms)
        request = prediction_request(self.agreement, asker.own, self.order, self.job)
        self._append(asker, request, None)
        return self

    def run(self) -> "PredictionSimulation":
        self.ask()
        self.settle()
        return self

    def pass_deadline(self) -> "PredictionSimulation":
        """What the initiator's timer says when somebody has not answered."""
        asker = self.parties[self.agreement.asker]
        assert asker.history is not None
        passed = DeadlinePassed(job=self.job, waiting_for=awaited(asker.history))
        self._append(asker, Draft(passed, self.job), None)
        self.settle()
        return self

    @property
    def completed(self) -> PredictionCompleted:
        event = self.parties[self.agreement.asker].event(PredictionCompleted)
        assert isinstance(event, PredictionCompleted)
        return event

    @property
    def results(self) -> Results:
        asker = self.parties[self.agreement.asker]
        assert asker.history is not None
        fact = asker.history.one(PredictionCompleted)
        return decode_results(asker.own.read(fact.payload("results")))

    def _can_move(self, party: SimulatedParty) -> bool:
        return party.name not in self.silent and super()._can_move(party)

    def _work(self, party: SimulatedParty, work: Work) -> Draft:
        assert work.kind == "score"
        assert party.history is not None
        history, half = party.history, self.halves[party.name]
        if half.is_broken:
            return Draft(WorkFailed(job=self.job, work="score", detail="no table"), self.job)
        return carry_out(
            history,
            party.own,
            half.history(party.name),
            half.rows_within_hour,
            lambda version: score(history, party.own, half, version),
        )


def score(history: History, own: Own, half: Half, version: int) -> Part:
    """Every customer of the task that the half knows; found by handle where others ask."""
    request = history.one(PredictionRequested)
    if request.event.terms.asker == own.name:
        known = [half.scores.get(name) for name in own_order(history, own).ids]
    else:
        key, handles = read_task(own.read(request.payload(task_of(own.name))))
        index = dict(zip(handles_of(key, half.scores), half.scores.values(), strict=True))
        known = [index.get(handle) for handle in handles]
    rows = [one if one is not None else [0.0] * half.outputs for one in known]
    found = np.array([one is not None for one in known])
    return Part(np.array(rows, np.float64), found, half.combination, version)


def prediction_terms(
    rows: int,
    *,
    participants: Sequence[str] = ("partner",),
    initiator: str = "bank",
    auditors: int = 0,
) -> PredictionTerms:
    """A request of the bank, or of a party of its own."""
    members = [
        Member(name="bank", role=Role.LOCAL),
        *(Member(name=name, role=Role.PARTICIPANT) for name in participants),
        *(Member(name=f"auditor-{k + 1}", role=Role.AUDITOR) for k in range(auditors)),
    ]
    if initiator != "bank":
        members.insert(0, Member(name=initiator, role=Role.INITIATOR))
    return PredictionTerms(
        members=tuple(members), initiator=initiator, model_id=MODEL, way="realtime", rows=rows
    )
