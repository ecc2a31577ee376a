"""Predictions as sequences of events: who asks, answers, refuses, and what is told (S1 to S3)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.lifecycle import WorkFailed
from events.predictions import (
    PartialScoreReturned,
    PredictionCompleted,
    PredictionRejected,
    PredictionRequested,
    task_of,
)
from handlers.policy import Policy
from handlers.tasks import KEY_BYTES, read_task
from scoring.results import labels_of
from tests.prediction_simulation import (
    RETIRED,
    REVOKED,
    Half,
    PredictionSimulation,
    activated,
    converted,
    prediction_terms,
)

IDS = ("101", "102", "103")
BANK = Half({"101": [0.5], "102": [-1.0], "103": [2.0]})
PARTNER = Half({"101": [1.0], "103": [-2.5], "104": [7.0]})
HALVES = {"bank": BANK, "partner": PARTNER}


def predict(initiator: str = "bank", **options: object) -> PredictionSimulation:
    return PredictionSimulation(
        prediction_terms(len(IDS), initiator=initiator),
        IDS,
        HALVES,
        **options,  # type: ignore[arg-type]
    ).run()


def rejected(federation: PredictionSimulation, at: str = "bank") -> tuple[str, str]:
    event = federation[at].event(PredictionRejected)
    return event.code, event.detail


def sigmoid(score: float) -> float:
    return 1 / (1 + float(np.exp(-score)))


@pytest.mark.parametrize("seed", range(5))
def test_the_bank_asks_each_party_scores_and_the_bank_combines(seed: int) -> None:
    federation = predict(seed=seed)
    shared = [*federation["partner"].types(private=False)]
    assert sorted(shared) == ["PartialScoreReturned", "PartialScoreReturned", "PredictionRequested"]
    assert federation["bank"].types()[-1] == "PredictionCompleted"
    assert federation["partner"].types(private=True) == shared


def test_a_customer_that_a_party_lacks_has_a_status_and_no_value() -> None:
    """Given a customer the partner does not have, then it is named, and nothing is filled in."""
    federation = predict()
    results = federation.results
    assert results.ids == IDS
    assert [results.missing_at(row) for row in range(3)] == [(), ("partner",), ()]
    assert results.values[[0, 2], 0] == pytest.approx([sigmoid(1.5), sigmoid(-0.5)], abs=1e-11)
    assert np.isnan(results.values[1, 0])
    completed = federation.completed
    assert (completed.rows, completed.scored) == (3, 2)
    assert [(one.party, one.rows) for one in completed.missing] == [("bank", 0), ("partner", 1)]


def test_nobody_but_the_initiator_learns_how_many_were_found() -> None:
    federation = PredictionSimulation(prediction_terms(3, auditors=1), IDS, HALVES).run()
    for name in ("partner", "auditor-1"):
        assert not federation[name].history.has(PredictionCompleted)  # type: ignore[union-attr]
    assert federation["auditor-1"].payloads.contents == {}


def test_a_party_of_its_own_asks_and_holds_no_data() -> None:
    """Then the bank answers like any other party, and reads nobody else's scores."""
    federation = predict("broker")
    assert federation.completed.scored == 2
    assert [
        fact.envelope.type for fact in federation["broker"].facts if fact.source == "broker"
    ] == [
        "PredictionRequested",
        "PredictionCompleted",
    ]
    returned = [
        fact
        for fact in federation["bank"].facts
        if isinstance(fact.event, PartialScoreReturned) and fact.source == "partner"
    ]
    assert returned[0].payload("scores").readers == ("broker",)
    assert returned[0].payload("scores").commitment not in federation["bank"].payloads.contents


def test_both_initiators_get_the_same_results() -> None:
    own, apart = predict().results, predict("broker").results
    np.testing.assert_array_equal(own.values, apart.values)


def test_two_participants_and_the_bank_add_up() -> None:
    names = ("partner-1", "partner-2")
    halves = {"bank": BANK, "partner-1": PARTNER, "partner-2": Half({"101": [-0.25]})}
    terms = prediction_terms(3, participants=names)
    federation = PredictionSimulation(terms, IDS, halves, seed=4).run()
    assert federation.results.values[0, 0] == pytest.approx(sigmoid(1.25), abs=1e-11)
    assert federation.completed.scored == 1
    assert federation.results.missing_at(1) == ("partner-1", "partner-2")


def test_each_party_gets_handles_of_its_own() -> None:
    """One party's handles mean nothing to another, and tell the broker nothing."""
    terms = prediction_terms(3, participants=("partner-1", "partner-2"))
    halves = {"bank": BANK, "partner-1": PARTNER, "partner-2": PARTNER}
    federation = PredictionSimulation(terms, IDS, halves).run()
    request = federation["bank"].facts[0]
    tasks = {}
    for name in ("partner-1", "partner-2"):
        reference = request.payload(task_of(name))
        assert reference.readers == (name,)
        tasks[name] = read_task(federation[name].own.read(reference))
    assert tasks["partner-1"][0] != tasks["partner-2"][0]
    assert not set(tasks["partner-1"][1]) & set(tasks["partner-2"][1])
    other = request.payload(task_of("partner-2")).commitment
    assert other not in federation["partner-1"].payloads.contents


def test_a_repeated_request_comes_under_the_same_handles_and_gives_the_same_result() -> None:
    """So a party finds the customers with the index that it made for the first request."""
    first, second = predict(seed=1), predict(seed=2)
    contents = []
    for federation in (first, second):
        reference = federation["bank"].facts[0].payload(task_of("partner"))
        contents.append(federation["partner"].own.read(reference))
    assert contents[0] == contents[1]
    assert len(contents[0]) == KEY_BYTES + 16 * len(IDS)
    np.testing.assert_array_equal(first.results.values, second.results.values)


@pytest.mark.parametrize(
    ("life", "code"),
    [
        ((activated(1),), "unknown-model"),
        ((converted(), RETIRED), "retired"),
        ((converted(), REVOKED), "consent-withdrawn"),
    ],
)
def test_a_party_without_a_model_to_serve_refuses(life: tuple[object, ...], code: str) -> None:
    halves = {"bank": BANK, "partner": Half(PARTNER.scores, life=life)}  # type: ignore[arg-type]
    federation = PredictionSimulation(prediction_terms(3), IDS, halves).run()
    assert rejected(federation)[0] == code
    assert rejected(federation, "partner")[0] == code
    assert not federation["bank"].history.has(PredictionCompleted)  # type: ignore[union-attr]


def test_a_model_that_was_activated_again_serves_again() -> None:
    life = (converted(), converted(2), RETIRED, activated(2))
    halves = {
        "bank": Half(BANK.scores, life=(converted(), converted(2), activated(2))),
        "partner": Half(PARTNER.scores, life=life),
    }
    federation = PredictionSimulation(prediction_terms(3), IDS, halves).run()
    assert federation.completed.model_version == 2


def test_parties_that_serve_different_versions_are_told() -> None:
    halves = {"bank": BANK, "partner": Half(PARTNER.scores, life=(converted(), activated(2)))}
    federation = PredictionSimulation(prediction_terms(3), IDS, halves).run()
    code, detail = rejected(federation, "partner")
    assert code == "protocol"
    assert "version 1" in detail
    assert "version 2" in detail


def test_a_requester_that_is_not_named_is_refused() -> None:
    policies = {name: Policy() for name in ("bank", "broker")}
    policies["partner"] = Policy(scoring_requesters=("bank",))
    assert rejected(predict("broker", policies=policies), "broker")[0] == "untrusted-requester"
    assert predict(policies=policies).completed.scored == 2


@pytest.mark.parametrize(("within_hour", "is_answered"), [(7, True), (8, False)])
def test_rows_an_hour_are_limited(within_hour: int, is_answered: bool) -> None:
    policies = {"bank": Policy(), "partner": Policy(scoring_rows_an_hour=10)}
    halves = {"bank": BANK, "partner": Half(PARTNER.scores, rows_within_hour=within_hour)}
    federation = PredictionSimulation(prediction_terms(3), IDS, halves, policies=policies).run()
    if is_answered:
        assert federation.completed.rows == 3
    else:
        code, detail = rejected(federation)
        assert (code, detail.endswith("of which 2 are left")) == ("rate-limit", True)


def test_the_limit_is_for_others_not_for_the_own_requests() -> None:
    policies = {"bank": Policy(scoring_rows_an_hour=1), "partner": Policy()}
    assert predict(policies=policies).completed.scored == 2


def test_scores_are_rounded_where_the_policy_says_so() -> None:
    policies = {"bank": Policy(score_digits=0), "partner": Policy(score_digits=0)}
    halves = {"bank": Half({"101": [0.4]}), "partner": Half({"101": [1.4]})}
    federation = PredictionSimulation(prediction_terms(1), ["101"], halves, policies=policies).run()
    assert federation.results.values[0, 0] == pytest.approx(sigmoid(1.4), abs=1e-11)


def test_a_party_that_is_silent_until_the_deadline_is_named() -> None:
    federation = PredictionSimulation(prediction_terms(3), IDS, HALVES)
    federation.silent.add("partner")
    federation.run().pass_deadline()
    assert rejected(federation) == ("deadline", "no answer in time from partner")


def test_an_answer_after_the_deadline_changes_nothing() -> None:
    federation = PredictionSimulation(prediction_terms(3), IDS, HALVES)
    federation.silent.add("partner")
    federation.run().pass_deadline()
    federation.silent.clear()
    federation.settle()
    assert rejected(federation)[0] == "deadline"
    assert not federation["bank"].history.has(PredictionCompleted)  # type: ignore[union-attr]


def test_a_deadline_that_speaks_as_the_last_answer_comes_changes_nothing() -> None:
    federation = predict().pass_deadline()
    assert not federation["bank"].history.has(PredictionRejected)  # type: ignore[union-attr]


def test_a_party_that_cannot_score_says_so_and_keeps_the_reason() -> None:
    halves = {"bank": BANK, "partner": Half(PARTNER.scores, is_broken=True)}
    federation = PredictionSimulation(prediction_terms(3), IDS, halves).run()
    code, detail = rejected(federation)
    assert code == "data"
    assert "no table" not in detail
    assert federation["partner"].event(WorkFailed).detail == "no table"


def test_halves_of_different_kinds_are_not_combined() -> None:
    halves = {"bank": BANK, "partner": Half(PARTNER.scores, "sum")}
    federation = PredictionSimulation(prediction_terms(3), IDS, halves).run()
    assert "different kinds" in rejected(federation, "partner")[1]


def test_scores_that_are_no_numbers_are_named() -> None:
    halves = {"bank": BANK, "partner": Half({"101": [float("nan")]})}
    federation = PredictionSimulation(prediction_terms(3), IDS, halves).run()
    assert rejected(federation) == ("protocol", "partner returned scores that are no numbers")


def test_nobody_is_known_to_all() -> None:
    halves = {"bank": BANK, "partner": Half({"999": [1.0]})}
    federation = PredictionSimulation(prediction_terms(3), IDS, halves).run()
    assert federation.completed.scored == 0
    assert np.isnan(federation.results.values).all()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.none() | st.lists(st.floats(-30, 30), min_size=3, max_size=3),
            st.none() | st.lists(st.floats(-30, 30), min_size=3, max_size=3),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_classes_are_softmax_of_the_sums(
    rows: list[tuple[list[float] | None, list[float] | None]],
) -> None:
    ids = [str(number) for number in range(len(rows))]
    halves = {
        name: Half(
            {i: row[side] for i, row in zip(ids, rows, strict=True) if row[side] is not None}  # type: ignore[misc]
            or {"nobody": [0.0, 0.0, 0.0]},
            "softmax",
        )
        for side, name in enumerate(("bank", "partner"))
    }
    results = PredictionSimulation(prediction_terms(len(ids)), ids, halves).run().results
    labels = labels_of(results, 0.5)
    for row, (bank, partner) in enumerate(rows):
        if bank is None or partner is None:
            assert np.isnan(results.values[row]).all()
            assert labels[row] is None
            continue
        weights = np.exp(np.add(bank, partner) - np.max(np.add(bank, partner)))
        np.testing.assert_allclose(results.values[row], weights / weights.sum(), atol=1e-11)
        assert results.values[row][labels[row]] == results.values[row].max()


def test_an_initiator_needs_no_other_event_than_its_own() -> None:
    federation = predict("broker")
    kinds = {type(fact.event) for fact in federation["broker"].facts}
    assert kinds == {PredictionRequested, PartialScoreReturned, PredictionCompleted}
