"""Every member checks every message of a prediction; one out of place is named (requirement S2)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from events.catalogue import Fact
from events.event import Event
from events.lifecycle import TrainingAccepted
from events.predictions import (
    PartialScoreReturned,
    PredictionRejected,
    PredictionRequested,
    PredictionTerms,
    task_of,
)
from events.terms import Member
from events.vocabulary import Role
from handlers.conformance import check_conformance
from handlers.drafts import Draft
from handlers.errors import ProtocolError
from handlers.history import History
from handlers.reactions import decide
from tests.prediction_simulation import Half, PredictionSimulation, prediction_terms

IDS = ("101", "102")
HALVES = {"bank": Half({"101": [0.5]}), "partner": Half({"101": [1.0]})}


@pytest.fixture
def federation() -> PredictionSimulation:
    return PredictionSimulation(prediction_terms(len(IDS)), IDS, HALVES).run()


def said(federation: PredictionSimulation, kind: type[Event], source: str) -> Fact[Event]:
    facts = federation["bank"].facts
    return next(one for one in facts if type(one.event) is kind and one.source == source)


def check(*facts: Fact[Event]) -> None:
    check_conformance(History("job-1", facts), facts[-1])


def altered(fact: Fact[Event], payload: str = "", **changes: Any) -> Fact[Event]:
    """The fact with another body, or another payload where one is named."""
    if not payload:
        return Fact(fact.envelope, fact.event.model_copy(update=changes))
    references = tuple(
        one.model_copy(update=changes) if one.name == payload else one
        for one in fact.envelope.payloads
    )
    return Fact(fact.envelope.model_copy(update={"payloads": references}), fact.event)


def test_an_honest_prediction_conforms(federation: PredictionSimulation) -> None:
    request = said(federation, PredictionRequested, "bank")
    for party in ("bank", "partner"):
        check(request, said(federation, PartialScoreReturned, party))


@pytest.mark.parametrize(
    ("payload", "changes", "told"),
    [
        ("", {"rows": 3}, "other rows"),
        ("", {"model_version": None}, "other rows"),
        ("", {"outputs": 2}, "another shape"),
        ("scores", {"shape": (1, 1), "size": 8}, "another shape"),
        ("status", {"shape": (2, 1)}, "another shape"),
        ("scores", {"size": 8}, "another size"),
        ("scores", {"readers": ("arbiter",)}, "other readers"),
        ("scores", {"readers": ()}, "other readers"),
    ],
)
def test_a_part_of_another_shape_is_refused(
    payload: str, changes: Mapping[str, Any], told: str, federation: PredictionSimulation
) -> None:
    request = said(federation, PredictionRequested, "bank")
    part = altered(said(federation, PartialScoreReturned, "partner"), payload, **changes)
    with pytest.raises(ProtocolError, match=told):
        check(request, part)


def test_scores_of_held_out_rows_are_no_part_of_a_prediction(
    federation: PredictionSimulation,
) -> None:
    request = said(federation, PredictionRequested, "bank")
    part = said(federation, PartialScoreReturned, "partner")
    scores = part.payload("scores").model_copy(update={"kind": "int64"})
    envelope = part.envelope.model_copy(update={"payloads": (scores,)})
    with pytest.raises(ProtocolError, match="other rows"):
        check(request, Fact(envelope, PartialScoreReturned(rows=len(IDS))))


def test_a_task_of_other_rows_than_announced_is_refused(federation: PredictionSimulation) -> None:
    request = said(federation, PredictionRequested, "bank")
    short = altered(request, task_of("partner"), size=48, shape=(48,))
    with pytest.raises(ProtocolError, match="a task of other rows"):
        check(short)


def test_a_task_goes_to_its_party_alone(federation: PredictionSimulation) -> None:
    request = said(federation, PredictionRequested, "bank")
    with pytest.raises(ProtocolError, match="other readers"):
        check(altered(request, task_of("partner"), readers=("bank", "partner")))


def test_a_part_is_returned_once(federation: PredictionSimulation) -> None:
    request = said(federation, PredictionRequested, "bank")
    part = said(federation, PartialScoreReturned, "partner")
    with pytest.raises(ProtocolError, match="says PartialScoreReturned twice"):
        check(request, part, part)


def test_a_party_does_not_answer_what_it_rejects(federation: PredictionSimulation) -> None:
    request = said(federation, PredictionRequested, "bank")
    part = said(federation, PartialScoreReturned, "partner")
    bare = part.envelope.model_copy(update={"payloads": ()})
    rejected = Fact(bare, PredictionRejected(code="retired", detail="-"))
    with pytest.raises(ProtocolError, match="answers a task that it rejects"):
        check(request, rejected, part)


def test_what_belongs_to_a_training_has_no_place_in_a_prediction(
    federation: PredictionSimulation,
) -> None:
    request = said(federation, PredictionRequested, "bank")
    part = said(federation, PartialScoreReturned, "partner")
    accepted = TrainingAccepted(customers=1, secret_commitment="0" * 64, data_commitment=None)
    foreign = Fact(part.envelope.model_copy(update={"payloads": ()}), accepted)
    with pytest.raises(ProtocolError, match="has no place in a prediction"):
        check(request, foreign)


def test_a_status_that_there_is_not_is_named(federation: PredictionSimulation) -> None:
    bank = federation["bank"]
    part = said(federation, PartialScoreReturned, "partner")
    commitment = bank.payloads.put(np.array([0, 7], np.uint8).tobytes())
    others = [one for one in bank.facts if one is not part and not one.envelope.is_private]
    false = altered(part, "status", commitment=commitment)
    history = History("job-1", [*others, false])
    [told] = decide(bank.role, history, false, bank.own)
    assert isinstance(told, Draft)
    assert isinstance(told.event, PredictionRejected)
    assert told.event.detail == "partner tells a status that there is not"


@pytest.mark.parametrize(
    ("members", "initiator", "told"),
    [
        ([("bank", Role.LOCAL), ("bank", Role.PARTICIPANT)], "bank", "named twice"),
        ([("bank", Role.LOCAL), ("partner", Role.PARTICIPANT)], "partner", "asks for a prediction"),
        ([("bank", Role.LOCAL)], "broker", "asks for a prediction"),
        ([("broker", Role.INITIATOR)], "broker", "parties with data"),
        (
            [("bank", Role.LOCAL), ("broker", Role.INITIATOR), ("other", Role.INITIATOR)],
            "broker",
            "one initiator",
        ),
        ([("bank", Role.LOCAL), ("arbiter", Role.ARBITER)], "bank", "no arbiter"),
    ],
)
def test_members_that_make_no_prediction_are_refused(
    members: list[tuple[str, Role]], initiator: str, told: str
) -> None:
    with pytest.raises(ValidationError, match=told):
        PredictionTerms(
            members=tuple(Member(name=name, role=role) for name, role in members),
            initiator=initiator,
            model_id="spring",
            way="realtime",
            rows=1,
        )
