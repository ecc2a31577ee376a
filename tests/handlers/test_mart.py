"""The mart: who says what, who learns what, what is refused (A1)."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from events.catalogue import Fact
from events.event import Event
from events.lifecycle import TrainingAccepted, TrainingFailed
from events.mart import FeaturesDelivered, IdentifiersMatched
from events.preparation import DataPrepared, IdentifiersPosted, RowsAligned
from events.rounds import ParametersUpdated
from handlers import mart
from handlers.alignment import handles_of
from handlers.history import History
from handlers.prepared import VARIABLES, own_snapshot
from handlers.preparing import common_rows
from handlers.reactions import decide
from paillier.keys import PrivateKey
from tests.handlers.conftest import federation_rows
from tests.handlers.decisions import protocol_failure
from tests.simulation import (
    MART_KEY,
    OPEN_POLICY,
    Rows,
    SimulatedParty,
    Simulation,
    job_terms,
)

COLUMNS = 5


def numeric_rows() -> dict[str, Rows]:
    """A partner with numbers alone, some of them missing."""
    rows = federation_rows()
    partner = rows["partner"]
    random = np.random.default_rng(3)
    columns = {f"own name {k}": random.normal(size=len(partner.ids)) for k in range(COLUMNS)}
    columns["own name 1"][::7] = np.nan
    return {"bank": rows["bank"], "partner": Rows(partner.ids, columns)}


def mart_rows() -> dict[str, Rows]:
    """The same customers and numbers in a mart, under keyed hashes, in the order of these."""
    rows = numeric_rows()
    handles = [handle.hex() for handle in handles_of(MART_KEY, rows["partner"].ids)]
    order = np.argsort(handles)
    columns = {f"c{k}": column[order] for k, column in enumerate(rows["partner"].columns.values())}
    return {"bank": rows["bank"], "mart": Rows([handles[row] for row in order], columns)}


def run_with_mart(key: PrivateKey, seed: int = 0, **changes: Any) -> Simulation:
    return Simulation(job_terms(mart=True, **changes), mart_rows(), key, seed).run()


@pytest.fixture(scope="module")
def federation(key: PrivateKey) -> Simulation:
    return run_with_mart(key, seed=2, maximum_rounds=1)


def until(party: SimulatedParty, source: str, last: str) -> list[str]:
    said = [fact.envelope.type for fact in party.facts if fact.source == source]
    return said[: said.index(last) + 1]


def test_these_are_the_events(federation: Simulation) -> None:
    assert until(federation["bank"], "bank", "DataPrepared") == [
        "DataSnapshotted",
        "TrainingRequested",
        "IdentifiersPosted",
        "RowsAligned",
        "DataPrepared",
    ]
    assert until(federation["mart"], "mart", "IdentifiersMatched") == [
        "IntersectionsCounted",
        "DataSnapshotted",
        "TrainingAccepted",
        "FeaturesDelivered",
        "IdentifiersMatched",
    ]
    assert until(federation["partner"], "partner", "FeaturesPrepared") == [
        "TrainingAccepted",
        "DataPrepared",
        "FeaturesPrepared",
    ]
    assert federation["mart"].types()[-1] != "TrainingFailed"


def test_each_payload_goes_to_the_one_party_that_needs_it(federation: Simulation) -> None:
    readers = {
        fact.envelope.type: reference.readers
        for fact in federation["arbiter"].facts
        for reference in fact.envelope.payloads
    }
    assert readers["IdentifiersPosted"] == ("mart",)
    assert readers["FeaturesDelivered"] == ("partner",)
    assert readers["IdentifiersMatched"] == ("bank",)
    assert readers["RowsAligned"] == ("partner",)


def test_the_participant_has_the_numbers_in_the_banks_order_and_no_names(
    federation: Simulation,
) -> None:
    bank, partner = federation["bank"], federation["partner"]
    assert bank.history is not None
    assert partner.history is not None
    ids = own_snapshot(bank.history, bank.own).ids
    customers = [ids[row] for row in common_rows(bank.history, bank.own)]
    rows = numeric_rows()["partner"]
    places = {identifier: row for row, identifier in enumerate(rows.ids)}
    delivered = own_snapshot(partner.history, partner.own)
    assert list(delivered.columns) == [f"feature-{k:04}" for k in range(1, COLUMNS + 1)]
    for name, column in zip(delivered.columns, rows.columns.values(), strict=True):
        expected = column[[places[identifier] for identifier in customers]]
        np.testing.assert_array_equal(delivered.columns[name], expected)


@pytest.mark.parametrize("profile", ["default", "patent"])
def test_the_model_is_that_of_a_participant_with_the_same_numbers_to_the_bit(
    profile: str, key: PrivateKey
) -> None:
    terms = job_terms(maximum_rounds=2, profile=profile)
    hashed = Simulation(terms, numeric_rows(), key).run()
    delivered = run_with_mart(key, maximum_rounds=2, profile=profile)
    for name in ("bank", "partner"):
        weights = []
        for party in (hashed[name], delivered[name]):
            assert party.history is not None
            updated = party.history.one(ParametersUpdated, round=2)
            weights.append(party.own.read(updated.payload("weights")))
        assert weights[0] == weights[1]


def test_many_columns_go_out_a_few_at_a_time(
    key: PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mart, "COLUMNS_PER_DELIVERY", 2)
    federation = run_with_mart(key, maximum_rounds=1)
    history = federation["partner"].history
    assert history is not None
    delivered = [fact.event for fact in history.of(FeaturesDelivered)]
    assert [(one.delivery, one.columns, one.all_columns) for one in delivered] == [
        (1, 2, 5),
        (2, 2, 5),
        (3, 1, 5),
    ]
    prepared = history.one(DataPrepared)
    bins = VARIABLES.validate_json(federation["partner"].own.read(prepared.payload("bins")))
    assert [one.name for one in bins] == [f"feature-{k:04}" for k in range(1, COLUMNS + 1)]


def test_the_mart_does_not_tell_how_many_customers_it_has(federation: Simulation) -> None:
    accepted = federation["bank"].event(TrainingAccepted, source="mart")
    assert accepted.customers == 0


def failure_of(federation: Simulation) -> TrainingFailed:
    found = {party.event(TrainingFailed) for party in federation.parties.values()}
    assert len(found) == 1
    failed: TrainingFailed = found.pop()
    return failed


@pytest.mark.parametrize("least", [216, 5000])
def test_a_match_below_the_marts_minimum_delivers_nothing(least: int, key: PrivateKey) -> None:
    strict = OPEN_POLICY.model_copy(update={"smallest_overlap": least})
    terms = job_terms(mart=True, smallest_overlap=least)
    federation = Simulation(terms, mart_rows(), key, policies={"mart": strict}).run()
    assert failure_of(federation).code == "no-overlap"
    assert "FeaturesDelivered" not in federation["mart"].types()


def test_no_match_ends_the_job_by_counts(key: PrivateKey) -> None:
    rows = mart_rows()
    other = handles_of(b"another key", numeric_rows()["partner"].ids)
    rows["mart"] = Rows(sorted(handle.hex() for handle in other), rows["mart"].columns)
    failure = failure_of(Simulation(job_terms(mart=True), rows, key).run())
    assert failure.code == "no-overlap"
    assert "only 0 customers" in failure.detail


def test_who_had_enough_sets_matched_today_is_declined(key: PrivateKey) -> None:
    federation = Simulation(job_terms(mart=True), mart_rows(), key)
    federation.within_a_day = OPEN_POLICY.intersections_per_day
    assert "as many as this party allows" in failure_of(federation.run()).detail


def test_a_mart_without_contributions_declines(key: PrivateKey) -> None:
    rows = {"bank": mart_rows()["bank"]}
    failure = failure_of(Simulation(job_terms(mart=True), rows, key).run())
    assert "mart declined: mart cannot read its data" in failure.detail


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"alignment": "psi"}, 'alignment = "mart"'),
        ({"participants": 2}, "one participant that it serves"),
    ],
)
def test_a_mart_has_a_job_of_its_own_kind(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        job_terms(mart=True, **changes)


@pytest.mark.parametrize(
    ("reader", "kind", "source", "changes", "words"),
    [
        (
            "mart",
            IdentifiersPosted,
            "bank",
            {"customers": 5},
            "than it announced",
        ),
        ("partner", FeaturesDelivered, "mart", {"delivery": 2}, "out of turn"),
        ("partner", FeaturesDelivered, "mart", {"columns": 9}, "other features than"),
        ("partner", FeaturesDelivered, "mart", {"rows": 9}, "another size than it says"),
        ("bank", IdentifiersMatched, "mart", {"rows": 9}, "other rows than it has delivered"),
        ("partner", RowsAligned, "bank", SHORTER := {"rows": 50, "training_rows": 40}, "add up"),
        ("partner", RowsAligned, "bank", {**SHORTER, "held_out_rows": 10}, "the mart has matched"),
    ],
)
def test_a_body_that_cannot_be_is_blamed_on_who_said_it(
    reader: str,
    kind: type[Event],
    source: str,
    changes: dict[str, Any],
    words: str,
    federation: Simulation,
) -> None:
    party = federation[reader]
    place = party.place_of(kind, source)
    fact = party.facts[place]
    altered = Fact(fact.envelope, fact.event.model_copy(update=changes))
    history = History(federation.job, [*party.facts[:place], altered])
    detail = protocol_failure(decide(party.role, history, altered, party.own))
    assert detail.startswith(source)
    assert words in detail


@pytest.mark.parametrize(
    ("reader", "kind", "source", "hostile", "words"),
    [
        ("mart", IdentifiersPosted, "bank", lambda old: old[:16] + old[:-16], "that repeat"),
        ("bank", IdentifiersMatched, "mart", lambda old: old[:8] + old[:-8], "that repeat"),
        ("bank", IdentifiersMatched, "mart", lambda old: old[:-8] + b"\7" * 8, "never posted"),
    ],
)
def test_a_payload_that_cannot_be_is_blamed_on_who_sent_it(
    reader: str, kind: type[Event], source: str, hostile: Any, words: str, federation: Simulation
) -> None:
    party = federation[reader]
    place = party.place_of(kind, source)
    fact = party.facts[place]
    (told,) = fact.envelope.payloads
    content = hostile(party.own.read(told))
    reference = told.model_copy(update={"commitment": party.payloads.put(content)})
    altered = Fact(fact.envelope.model_copy(update={"payloads": (reference,)}), fact.event)
    party.own.forget(federation.job)
    history = History(federation.job, [*party.facts[:place], altered])
    detail = protocol_failure(decide(party.role, history, altered, party.own))
    party.own.forget(federation.job)
    assert words in detail
    assert source in detail
