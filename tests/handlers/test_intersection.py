"""Aligning by private set intersection: who says what, who learns what, what is refused (A2)."""

from typing import Any

import numpy as np
import pytest

from events.catalogue import Fact
from events.envelope import Envelope
from events.event import Event
from events.intersection import (
    BlindedIdentifiersPosted,
    DoublyBlindedIdentifiersReturned,
    IntersectionComputed,
    RowsMatched,
)
from events.lifecycle import TrainingFailed, TrainingRequested
from events.preparation import IdentifiersPosted, RowsAligned
from events.rounds import ParametersUpdated
from handlers import posted
from handlers.history import History
from handlers.prepared import own_snapshot
from handlers.preparing import common_rows
from handlers.reactions import decide
from paillier.keys import PrivateKey
from tests.handlers.conftest import federation_rows
from tests.handlers.decisions import protocol_failure
from tests.simulation import OPEN_POLICY, Rows, SimulatedParty, Simulation, job_terms

SHORTER = {"rows": 100, "training_rows": 60, "held_out_rows": 40}


@pytest.fixture(scope="module")
def federation(key: PrivateKey) -> Simulation:
    terms = job_terms(2, maximum_rounds=1, alignment="psi")
    return Simulation(terms, federation_rows(2), key, seed=2).run()


def until_aligned(party: SimulatedParty, source: str) -> list[str]:
    """What one party said, as another has it, up to its prepared features."""
    said = [fact.envelope.type for fact in party.facts if fact.source == source]
    return said[: said.index("FeaturesPrepared")]


def common_ids(federation: Simulation, name: str) -> list[str]:
    party = federation[name]
    assert party.history is not None
    snapshot = own_snapshot(party.history, party.own)
    return [snapshot.ids[row] for row in common_rows(party.history, party.own)]


def test_with_one_participant_these_are_the_events(key: PrivateKey) -> None:
    terms = job_terms(maximum_rounds=1, alignment="psi")
    federation = Simulation(terms, federation_rows(), key).run()
    assert until_aligned(federation["bank"], "bank") == [
        "DataSnapshotted",
        "TrainingRequested",
        "BlindedIdentifiersPosted",
        "PeerIdentifiersBlinded",
        "IntersectionComputed",
        "RowsMatched",
        "RowsAligned",
        "DataPrepared",
    ]
    assert until_aligned(federation["partner"], "partner") == [
        "IntersectionsCounted",
        "DataSnapshotted",
        "TrainingAccepted",
        "DoublyBlindedIdentifiersReturned",
        "BlindedIdentifiersPosted",
        "DataPrepared",
    ]


def test_with_two_participants_each_hears_of_its_own_rows(federation: Simulation) -> None:
    assert until_aligned(federation["arbiter"], "bank") == [
        "TrainingRequested",
        "BlindedIdentifiersPosted",
        "RowsMatched",
        "RowsMatched",
        "RowsAligned",
    ]
    for name in ("partner-1", "partner-2"):
        assert until_aligned(federation["arbiter"], name) == [
            "TrainingAccepted",
            "DoublyBlindedIdentifiersReturned",
            "BlindedIdentifiersPosted",
        ]


def test_each_payload_goes_to_the_one_party_that_needs_it(federation: Simulation) -> None:
    facts = federation["arbiter"].facts
    readers = {
        (fact.envelope.type, fact.source): {reference.readers for reference in payloads}
        for fact in facts
        if (payloads := fact.envelope.payloads)
    }
    both = ("partner-1", "partner-2")
    assert readers["BlindedIdentifiersPosted", "bank"] == {both}
    for name in both:
        assert readers["BlindedIdentifiersPosted", name] == {("bank",)}
        assert readers["DoublyBlindedIdentifiersReturned", name] == {("bank",)}
    told = {fact.event.owner: fact for fact in facts if isinstance(fact.event, RowsMatched)}
    assert {name: fact.payload("positions").readers for name, fact in told.items()} == {
        name: (name,) for name in both
    }


def test_all_have_the_same_customers_in_the_same_order(federation: Simulation) -> None:
    orders = [common_ids(federation, name) for name in ("bank", "partner-1", "partner-2")]
    rows = federation_rows(2)
    expected = set(rows["bank"].ids) & set(rows["partner-1"].ids) & set(rows["partner-2"].ids)
    assert orders[0] == orders[1] == orders[2]
    assert set(orders[0]) == expected
    assert orders[0] != sorted(orders[0])  # the order says nothing about the bank's table


def test_the_bank_learns_its_overlap_with_each_participant_by_counts(
    federation: Simulation,
) -> None:
    rows = federation_rows(2)
    found = federation["bank"].event(IntersectionComputed)
    assert {overlap.party: overlap.customers for overlap in found.overlaps} == {
        name: len(set(rows["bank"].ids) & set(rows[name].ids))
        for name in ("partner-1", "partner-2")
    }


@pytest.mark.parametrize("profile", ["default", "patent"])
@pytest.mark.parametrize("participants", [1, 2])
def test_the_model_is_that_of_keyed_hashes_to_the_bit(
    participants: int, profile: str, key: PrivateKey
) -> None:
    weights = []
    for alignment in ("hash", "psi"):
        terms = job_terms(participants, maximum_rounds=2, alignment=alignment, profile=profile)
        federation = Simulation(terms, federation_rows(participants), key).run()
        for name in terms.data_parties:
            party = federation[name]
            assert party.history is not None
            updated = party.history.one(ParametersUpdated, round=2)
            weights.append(party.own.read(updated.payload("weights")))
    half = len(weights) // 2
    assert weights[:half] == weights[half:]


def test_a_large_set_goes_in_batches(key: PrivateKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given 225 and 230 customers and batches of 64, then each set is posted in four."""
    monkeypatch.setattr(posted, "IDENTIFIERS_PER_BATCH", 64)
    terms = job_terms(maximum_rounds=1, alignment="psi")
    federation = Simulation(terms, federation_rows(), key, seed=4).run()
    facts = federation["arbiter"].facts
    sizes = [
        (fact.source, fact.event.batch, fact.payload("points").shape[0])
        for fact in facts
        if isinstance(fact.event, BlindedIdentifiersPosted)
    ]
    bank = [("bank", 1, 64), ("bank", 2, 64), ("bank", 3, 64), ("bank", 4, 33)]
    partner = [("partner", 1, 64), ("partner", 2, 64), ("partner", 3, 64), ("partner", 4, 38)]
    assert sizes == bank + partner
    assert common_ids(federation, "bank") == common_ids(federation, "partner")
    assert federation["bank"].event(RowsAligned).rows == 215


def test_no_common_customer_ends_the_job_by_counts(key: PrivateKey) -> None:
    rows = federation_rows()
    partner = rows["partner"]
    rows["partner"] = Rows([f"9{identifier}" for identifier in partner.ids], partner.columns)
    federation = Simulation(job_terms(alignment="psi"), rows, key).run()
    for party in federation.parties.values():
        failure = party.event(TrainingFailed)
        assert failure.code == "no-overlap"
        assert "only 0 customers" in failure.detail


def test_who_had_its_sets_compared_often_enough_today_is_declined(key: PrivateKey) -> None:
    federation = Simulation(job_terms(alignment="psi"), federation_rows(), key)
    federation.within_a_day = OPEN_POLICY.intersections_per_day
    failure = federation.run()["bank"].event(TrainingFailed)
    assert failure.code == "declined"
    assert "as many as this party allows" in failure.detail
    assert "BlindedIdentifiersPosted" not in federation["bank"].types()


def test_a_set_that_is_too_large_is_declined(key: PrivateKey) -> None:
    """Who may bring any number of identifiers tries all telephone numbers."""
    strict = OPEN_POLICY.model_copy(update={"largest_set": 200})
    federation = Simulation(
        job_terms(alignment="psi"), federation_rows(), key, policies={"partner": strict}
    ).run()
    failure = federation["bank"].event(TrainingFailed)
    assert "225 customers are more than this party compares" in failure.detail


def told_otherwise(
    federation: Simulation,
    reader: str,
    kind: type[Event],
    source: str,
    *,
    content: bytes | None = None,
    **changes: Any,
) -> str:
    """What the reader says when this message has another payload or body than it had."""
    party = federation[reader]
    place = party.place_of(kind, source)
    fact = party.facts[place]
    envelope = fact.envelope
    if content is not None:
        envelope = with_content(party, envelope, content)
    altered = Fact(envelope, fact.event.model_copy(update=changes))
    history = History(federation.job, [*party.facts[:place], altered])
    return protocol_failure(decide(party.role, history, altered, party.own))


def with_content(party: SimulatedParty, envelope: Envelope, content: bytes) -> Envelope:
    reference = envelope.payloads[0].model_copy(
        update={"commitment": party.payloads.put(content), "size": len(content)}
    )
    return envelope.model_copy(update={"payloads": (reference,)})


def content_of(federation: Simulation, reader: str, kind: type[Event], source: str) -> bytes:
    party = federation[reader]
    fact = party.facts[party.place_of(kind, source)]
    return party.own.read(fact.envelope.payloads[0])


@pytest.mark.parametrize(("reader", "source"), [("bank", "partner-1"), ("partner-1", "bank")])
@pytest.mark.parametrize(
    "encoding", [bytes(32), b"\xff" * 32, b"\1" + bytes(31)], ids=["identity", "large", "negative"]
)
def test_the_identity_and_what_is_no_element_end_the_job(
    reader: str, source: str, encoding: bytes, federation: Simulation
) -> None:
    points = content_of(federation, reader, BlindedIdentifiersPosted, source)
    hostile = points[:-32] + encoding
    detail = told_otherwise(federation, reader, BlindedIdentifiersPosted, source, content=hostile)
    assert detail.startswith(f"{source} posts no blinded identifiers: in batch 1, number ")


@pytest.mark.parametrize(
    ("reader", "kind", "source", "changes", "words"),
    [
        ("bank", BlindedIdentifiersPosted, "partner-1", {"batch": 2}, "other identifiers than"),
        ("partner-1", BlindedIdentifiersPosted, "bank", {"batch": 7}, "other identifiers than"),
        ("bank", DoublyBlindedIdentifiersReturned, "partner-1", {"batch": 2}, "other identifiers"),
        ("partner-1", RowsMatched, "bank", {"owner": "nobody"}, "to other readers"),
        ("partner-1", RowsMatched, "bank", {"rows": 5}, "matches other rows than it says"),
        ("partner-1", RowsAligned, "bank", SHORTER, "other rows than"),
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
    detail = told_otherwise(federation, reader, kind, source, **changes)
    assert detail.startswith(source)
    assert words in detail


def test_identifiers_that_repeat_are_refused_before_anything_is_matched(
    federation: Simulation,
) -> None:
    tags = content_of(federation, "bank", DoublyBlindedIdentifiersReturned, "partner-1")
    party = federation["bank"]
    place = party.place_of(IntersectionComputed, "bank")
    facts = list(party.facts[:place])
    returned = party.place_of(DoublyBlindedIdentifiersReturned, "partner-1")
    repeated = with_content(party, facts[returned].envelope, tags[:16] + tags[:-16])
    facts[returned] = Fact(repeated, facts[returned].event)
    last = next(fact for fact in reversed(facts) if "Blinded" in fact.envelope.type)
    history = History(federation.job, facts)
    assert "partner-1 posts identifiers that repeat" in protocol_failure(
        decide(party.role, history, last, party.own)
    )


def test_the_set_of_another_job_matches_nothing(federation: Simulation, key: PrivateKey) -> None:
    """Given a bank that posts what a participant posted in another job, then nothing is common."""
    other = Simulation(job_terms(alignment="psi"), federation_rows(), key)
    other.job = "job-2"
    other.run()
    stolen = content_of(other, "bank", BlindedIdentifiersPosted, "partner")
    mine = content_of(federation, "bank", BlindedIdentifiersPosted, "partner-1")
    points = {mine[k : k + 32] for k in range(0, len(mine), 32)}
    assert not points & {stolen[k : k + 32] for k in range(0, len(stolen), 32)}


def test_keyed_hashes_have_no_place_in_a_job_that_agreed_on_an_intersection(
    key: PrivateKey,
) -> None:
    hashed = Simulation(job_terms(), federation_rows(), key).run()
    party = hashed["bank"]
    place = party.place_of(IdentifiersPosted, "partner")
    facts = [agreed_on_psi(fact) for fact in party.facts[: place + 1]]
    history = History(hashed.job, facts)
    detail = protocol_failure(decide(party.role, history, facts[-1], party.own))
    assert detail == "partner says IdentifiersPosted in a job whose alignment is psi"


def agreed_on_psi(fact: Fact[Event]) -> Fact[Event]:
    if not isinstance(fact.event, TrainingRequested):
        return fact
    terms = fact.event.terms.model_copy(update={"alignment": "psi"})
    return Fact(fact.envelope, fact.event.model_copy(update={"terms": terms}))


def test_a_participant_posts_nothing_before_the_banks_whole_set_is_there(
    key: PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a bank cannot pass off one participant's identifiers as its own to another (A2)."""
    monkeypatch.setattr(posted, "IDENTIFIERS_PER_BATCH", 100)
    terms = job_terms(maximum_rounds=1, alignment="psi")
    federation = Simulation(terms, federation_rows(), key).run()
    party = federation["bank"]
    place = party.place_of(BlindedIdentifiersPosted, "partner")
    early = party.facts[place]
    facts = [
        fact
        for fact in party.facts[:place]
        if not (isinstance(fact.event, BlindedIdentifiersPosted) and fact.event.batch == 3)
    ]
    history = History(federation.job, [*facts, early])
    detail = protocol_failure(decide(party.role, history, early, party.own))
    assert "before bank has posted all" in detail


@pytest.mark.parametrize(
    "change", [lambda rows: [*rows[:-1], rows[0]], lambda rows: [*rows[:-1], 10**6]]
)
def test_rows_that_repeat_or_never_were_are_refused(change: Any, federation: Simulation) -> None:
    party = federation["partner-1"]
    told = next(
        (place, one)
        for place, one in enumerate(party.facts)
        if isinstance(one.event, RowsMatched) and one.event.owner == "partner-1"
    )
    positions = np.frombuffer(party.own.read(told[1].payload("positions")), "<i8")
    hostile = np.array(change(positions.tolist()), "<i8").tobytes()
    facts = list(party.facts[: party.place_of(RowsAligned, "bank") + 1])
    facts[told[0]] = Fact(with_content(party, told[1].envelope, hostile), told[1].event)
    history = History(federation.job, facts)
    assert "the aligned rows" in protocol_failure(decide(party.role, history, facts[-1], party.own))
