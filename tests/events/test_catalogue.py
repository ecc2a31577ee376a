"""The catalogue fails loudly at start-up, and reads yesterday's log (design, Habits)."""

from typing import ClassVar

import pytest
from pydantic import JsonValue

from events.catalogue import CATALOGUE, Catalogue
from events.errors import CatalogueError, EnvelopeError, UnknownEventError
from events.event import Event
from events.lifecycle import (
    DeadlinePassed,
    MessageRefused,
    TrainingAccepted,
    TrainingDeclined,
    TrainingFailed,
    TrainingRequested,
    WorkFailed,
)
from events.predictions import PartialScoreReturned
from events.preparation import DataSnapshotted, IdentifiersPosted
from events.rounds import (
    EncryptedResidualPosted,
    EncryptedScorePosted,
    MaskedResultDecrypted,
    RoundCompleted,
    StopFlagRaised,
)
from events.vocabulary import Role
from tests.envelopes import SOME_DIGEST, Issuer, reference, terms


class Counted(Event):
    VERSION: ClassVar = 2
    ISSUERS: ClassVar = frozenset({Role.ARBITER})
    total: int


def rename_count(body: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return {"total": body["count"]}


def test_two_events_of_one_name_are_refused() -> None:
    with pytest.raises(CatalogueError, match="RoundCompleted"):
        Catalogue([RoundCompleted, RoundCompleted])


def test_a_gap_in_the_upcasters_is_refused() -> None:
    with pytest.raises(CatalogueError, match="upcaster"):
        Catalogue([Counted])


def test_an_upcaster_for_a_version_that_never_was_is_refused() -> None:
    with pytest.raises(CatalogueError, match="never were"):
        Catalogue([RoundCompleted], {("RoundCompleted", 1): rename_count})


def test_yesterdays_event_is_read_as_todays() -> None:
    catalogue = Catalogue([Counted], {("Counted", 1): rename_count})
    envelope = (
        Issuer("arbiter")
        .says(RoundCompleted(round=1))
        .model_copy(update={"type": "Counted", "schemaversion": 1, "data": {"count": 5}})
    )
    assert catalogue.read(envelope).event == Counted(total=5)


def test_a_job_of_the_first_release_codes_one_hot_and_encrypts_every_customer_alone() -> None:
    """TrainingRequested 1 knew no coding (P5) and no shared ciphertexts; its log runs as it did."""
    requested = TrainingRequested(
        terms=terms().model_copy(update={"rows_per_ciphertext": 1}),
        customers=9,
        secret_commitment=SOME_DIGEST,
        data_commitment=SOME_DIGEST,
    )
    body = requested.model_dump(mode="json")
    del body["terms"]["coding"], body["terms"]["rows_per_ciphertext"]
    envelope = Issuer("bank").says(requested)
    old = envelope.model_copy(update={"schemaversion": 1, "data": body})
    assert CATALOGUE.read(old).event == requested


@pytest.mark.parametrize(
    "event",
    [
        EncryptedScorePosted(round=1),
        EncryptedResidualPosted(round=1, slope=0.25, scale=4),
        MaskedResultDecrypted(round=1, owner="bank", ciphertexts=3),
    ],
)
def test_rounds_of_the_first_release_read_as_they_were_written(event: Event) -> None:
    old = Issuer("bank").says(event).model_copy(update={"schemaversion": 1})
    assert CATALOGUE.read(old).event == event


def test_a_type_or_version_from_the_future_is_named() -> None:
    envelope = Issuer("arbiter").says(RoundCompleted(round=1))
    for change in ({"type": "RoundCelebrated"}, {"schemaversion": 2}):
        with pytest.raises(UnknownEventError, match="same release"):
            CATALOGUE.read(envelope.model_copy(update=change))


@pytest.mark.parametrize("data", [{}, {"round": "1"}, {"round": 0}, {"round": 1, "more": 2}])
def test_a_body_that_breaks_its_schema_is_refused(data: dict[str, JsonValue]) -> None:
    envelope = Issuer("arbiter").says(RoundCompleted(round=1))
    with pytest.raises(EnvelopeError, match="schema"):
        CATALOGUE.read(envelope.model_copy(update={"data": data}))


def test_an_event_without_its_payload_is_refused() -> None:
    envelope = Issuer("bank").says(StopFlagRaised(round=1))
    with pytest.raises(EnvelopeError, match="payloads"):
        CATALOGUE.read(envelope.model_copy(update={"payloads": ()}))


def test_a_shared_event_in_a_private_stream_is_refused() -> None:
    envelope = Issuer("arbiter").says(RoundCompleted(round=1))
    with pytest.raises(EnvelopeError, match="stream"):
        CATALOGUE.read(envelope.model_copy(update={"stream": "private"}))


def test_every_event_says_what_it_means() -> None:
    for name, kind in CATALOGUE.types.items():
        assert kind.__doc__, name
        assert name.endswith(("ed", "Passed")), f"{name} is no fact in the past tense"


@pytest.mark.parametrize(
    "event",
    [
        DeadlinePassed(job="job-1", waiting_for=("partner",)),
        MessageRefused(job="job-1", sender="partner", reason="-"),
        WorkFailed(job="job-1", work="key", detail="-"),
        TrainingAccepted(customers=9, secret_commitment="ab" * 32, data_commitment=None),
        TrainingDeclined(reason="-"),
        TrainingFailed(code="data", detail="-"),
    ],
)
def test_what_the_first_release_said_reads_as_it_stands(event: Event) -> None:
    envelope = Issuer("bank").says(event).model_copy(update={"schemaversion": 1})
    assert CATALOGUE.read(envelope).event == event


@pytest.mark.parametrize(
    ("event", "payloads"),
    [
        (IdentifiersPosted(customers=9), {"handles": "handles"}),
        (DataSnapshotted(job="job-1", customers=9), {"table": "table", "notes": "json"}),
    ],
)
def test_what_the_first_release_said_with_payloads_reads_as_it_stands(
    event: Event, payloads: dict[str, str]
) -> None:
    told = {name: reference(name, kind, shape=(9,), size=9) for name, kind in payloads.items()}
    envelope = Issuer("partner").says(event, payloads=told)
    assert CATALOGUE.read(envelope.model_copy(update={"schemaversion": 1})).event == event


def test_scores_of_the_first_release_are_those_of_held_out_rows() -> None:
    """Then they were integers on the grid, and nothing but the number of rows was said."""
    scores = reference("scores", "int64", shape=(9,), size=72)
    envelope = Issuer("partner").says(PartialScoreReturned(rows=9), payloads={"scores": scores})
    old = envelope.model_copy(update={"schemaversion": 1, "data": {"rows": 9}})
    fact = CATALOGUE.read(old)
    assert isinstance(fact.event, PartialScoreReturned)
    assert fact.event.is_held_out
