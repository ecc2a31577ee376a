"""A signed message out of place ends the job and names its source (T6, T7, T9; design, Secrets)."""

from typing import Any

import numpy as np
import pytest

from events.catalogue import Fact
from events.event import Event
from events.lifecycle import TrainingDeclined, TrainingFailed, TrainingStopped
from events.models import ModelEvaluated
from events.predictions import PartialScoreReturned
from events.preparation import FeaturesPrepared, IdentifiersPosted, RowsAligned
from events.rounds import (
    EncryptedGradientPosted,
    EncryptedResidualPosted,
    EncryptedScorePosted,
    MaskedResultDecrypted,
    RoundCompleted,
    StopFlagRaised,
)
from handlers.drafts import Decision, Draft
from handlers.history import History
from handlers.reactions import decide
from paillier.keys import PrivateKey
from tests.handlers.conftest import federation_rows
from tests.simulation import SimulatedParty, Simulation, job_terms

Changes = dict[str, Any]


@pytest.fixture(scope="module")
def federation(key: PrivateKey) -> Simulation:
    return Simulation(job_terms(2, maximum_rounds=3), federation_rows(2), key).run()


def first(party: SimulatedParty, kind: type[Event], source: str) -> int:
    """Where the first such fact stands in the party's log."""
    return next(
        place
        for place, fact in enumerate(party.facts)
        if type(fact.event) is kind and fact.source == source
    )


def decided_on(party: SimulatedParty, before: int, *facts: Fact[Any]) -> Decision:
    """What the party decides about the last of these, after the first `before` of its own log."""
    history = History("job-1", party.facts[:before])
    for fact in facts:
        history.add(fact)
    return decide(party.role, history, facts[-1], party.own)


def failure(decision: Decision) -> TrainingFailed:
    (drafted, *_) = decision
    assert isinstance(drafted, Draft)
    assert isinstance(drafted.event, TrainingFailed)
    return drafted.event


@pytest.mark.parametrize(
    ("reader", "kind", "source"),
    [
        ("bank", IdentifiersPosted, "partner-1"),
        ("bank", EncryptedScorePosted, "partner-1"),
        ("bank", FeaturesPrepared, "partner-2"),
        ("partner-1", RowsAligned, "bank"),
        ("partner-1", EncryptedResidualPosted, "bank"),
        ("partner-1", RoundCompleted, "arbiter"),
        ("arbiter", StopFlagRaised, "bank"),
    ],
)
def test_what_is_said_twice_is_blamed_on_who_said_it(
    reader: str, kind: type[Event], source: str, federation: Simulation
) -> None:
    party = federation[reader]
    place = first(party, kind, source)
    fact = party.facts[place]
    failed = failure(decided_on(party, place + 1, fact))
    assert failed.code == "protocol"
    assert failed.detail.startswith(f"{source} says {kind.type_name()} twice")


@pytest.mark.parametrize(
    ("reader", "kind", "source", "changes", "words"),
    [
        ("bank", IdentifiersPosted, "partner-1", {"customers": 5000}, "other identifiers"),
        ("partner-1", RowsAligned, "bank", {"training_rows": 10**7}, "do not add up"),
        ("bank", FeaturesPrepared, "partner-1", {"variables": 5, "columns": 5}, "too few columns"),
        ("bank", EncryptedScorePosted, "partner-1", {"round": 3}, "out of turn"),
        ("partner-1", RoundCompleted, "arbiter", {"round": 3}, "out of turn"),
        ("partner-1", MaskedResultDecrypted, "arbiter", {"owner": "nobody"}, "no data"),
    ],
)
def test_a_body_that_cannot_be_is_blamed_on_who_said_it(
    reader: str,
    kind: type[Event],
    source: str,
    changes: Changes,
    words: str,
    federation: Simulation,
) -> None:
    party = federation[reader]
    place = first(party, kind, source)
    fact = party.facts[place]
    altered = Fact(fact.envelope, fact.event.model_copy(update=changes))
    if "owner" in changes:
        reference = fact.envelope.payloads[0].model_copy(update={"readers": ()})
        envelope = fact.envelope.model_copy(update={"payloads": (reference,)})
        altered = Fact(envelope, altered.event)
    failed = failure(decided_on(party, place, altered))
    assert failed.detail.startswith(source)
    assert words in failed.detail


def test_a_payload_sealed_to_others_than_agreed_is_refused(federation: Simulation) -> None:
    party = federation["partner-1"]
    place = first(party, EncryptedResidualPosted, "bank")
    fact = party.facts[place]
    reference = fact.envelope.payloads[0].model_copy(update={"readers": ("arbiter",)})
    envelope = fact.envelope.model_copy(update={"payloads": (reference,)})
    failed = failure(decided_on(party, place, Fact(envelope, fact.event)))
    assert "other readers" in failed.detail


def test_a_payload_of_another_size_than_its_shape_is_refused(federation: Simulation) -> None:
    party = federation["bank"]
    place = first(party, EncryptedScorePosted, "partner-1")
    fact = party.facts[place]
    references = list(fact.envelope.payloads)
    references[0] = references[0].model_copy(update={"size": 3})
    envelope = fact.envelope.model_copy(update={"payloads": tuple(references)})
    failed = failure(decided_on(party, place, Fact(envelope, fact.event)))
    assert "another size" in failed.detail


@pytest.fixture(scope="module", params=[1, 4], ids=["alone", "shared"])
def patent_federation(request: pytest.FixtureRequest, key: PrivateKey) -> Simulation:
    terms = job_terms(
        auditors=1, maximum_rounds=2, profile="patent", rows_per_ciphertext=request.param
    )
    return Simulation(terms, federation_rows(), key).run()


@pytest.mark.parametrize(
    ("reader", "kind", "source", "name"),
    [
        ("bank", EncryptedScorePosted, "partner", "scores"),
        ("partner", EncryptedResidualPosted, "bank", "residuals"),
        ("arbiter", EncryptedGradientPosted, "partner", "gradient"),
        ("bank", MaskedResultDecrypted, "arbiter", "result"),
    ],
)
def test_a_vector_of_another_length_than_the_job_needs_is_refused(
    reader: str, kind: type[Event], source: str, name: str, patent_federation: Simulation
) -> None:
    """Nobody has more opened, or sends less, than the shared facts say (T4 to T7)."""
    party = patent_federation[reader]
    place = first(party, kind, source)
    fact = party.facts[place]
    count, width = fact.payload(name).shape
    for wrong in (count - 1, count + 1):
        altered = with_shape(fact, name, (wrong, width))
        failed = failure(decided_on(party, place, altered))
        assert failed.detail == f"{source} sends {name} of other than {count} ciphertexts"


def test_an_arbiter_that_returns_more_of_a_plaintext_than_the_slot_is_refused(
    patent_federation: Simulation,
) -> None:
    """Every member sees it from the size, without opening the payload."""
    party = patent_federation["partner"]
    place = first(party, MaskedResultDecrypted, "arbiter")
    fact = party.facts[place]
    assert isinstance(fact.event, MaskedResultDecrypted)
    count, width = fact.payload("result").shape
    failed = failure(decided_on(party, place, with_shape(fact, "result", (count, width + 1))))
    assert failed.detail == f"arbiter returns more or less than {fact.event.owner}'s own sums"


def with_shape(fact: Fact[Event], name: str, shape: tuple[int, int]) -> Fact[Event]:
    """The same message with a payload of another shape, and the size that goes with it."""
    count, width = shape
    references = [
        reference.model_copy(update={"shape": shape, "size": count * width})
        if reference.name == name
        else reference
        for reference in fact.envelope.payloads
    ]
    envelope = fact.envelope.model_copy(update={"payloads": tuple(references)})
    return Fact(envelope, fact.event)


@pytest.mark.parametrize("held_out", ["most", "none"])
def test_a_participant_checks_which_of_its_customers_are_held_out(
    held_out: str, federation: Simulation
) -> None:
    """Else the bank could hold out nearly everybody, and be sent their scores in the clear."""
    party = federation["partner-1"]
    place = first(party, RowsAligned, "bank")
    fact = party.facts[place]
    assert isinstance(fact.event, RowsAligned)
    rows = fact.event.rows
    mask = np.full(rows, held_out == "most", np.uint8)
    mask[0] = held_out != "most"
    counts = {"held_out_rows": int(mask.sum()), "training_rows": rows - int(mask.sum())}
    references = [
        reference.model_copy(update={"commitment": party.payloads.put(mask.tobytes())})
        if reference.name == "held_out"
        else reference
        for reference in fact.envelope.payloads
    ]
    envelope = fact.envelope.model_copy(update={"payloads": tuple(references)})
    altered = Fact(envelope, fact.event.model_copy(update=counts))
    failed = failure(decided_on(party, place, altered))
    assert failed.detail == "bank holds out other customers than the terms say"


def test_the_round_limit_holds_for_every_party(federation: Simulation) -> None:
    """An arbiter that goes on after the last round is not followed (leak budget)."""
    party = federation["partner-1"]
    place = first(party, TrainingStopped, "arbiter")
    stopped = party.facts[place]
    goes_on = Fact(stopped.envelope, RoundCompleted(round=3))
    failed = failure(decided_on(party, place, goes_on))
    assert failed.detail == "arbiter says RoundCompleted of round 3 out of turn"


def test_nothing_undoes_a_model_after_the_stop(federation: Simulation) -> None:
    """A failure, a decline or a repeated score that comes late changes nothing (D3)."""
    bank = federation["bank"]
    end = len(bank.facts)
    returned = bank.facts[first(bank, PartialScoreReturned, "partner-1")]
    assert decided_on(bank, end, returned) == []
    for event in (
        TrainingFailed(code="internal", detail="too late"),
        TrainingDeclined(reason="too late"),
    ):
        late = Fact(returned.envelope.model_copy(update={"payloads": ()}), event)
        assert decided_on(bank, end, late) == []
        history = History("job-1", [*bank.facts, late])
        assert not history.is_over
        assert len(history.of(ModelEvaluated)) == 1


def test_scores_that_cannot_be_do_not_enter_the_evaluation(federation: Simulation) -> None:
    bank = federation["bank"]
    place = first(bank, PartialScoreReturned, "partner-2")
    fact = bank.facts[place]
    assert isinstance(fact.event, PartialScoreReturned)
    absurd = np.full(fact.event.rows, 2**62, np.int64)
    reference = fact.envelope.payloads[0].model_copy(
        update={"commitment": bank.payloads.put(absurd.tobytes())}
    )
    envelope = fact.envelope.model_copy(update={"payloads": (reference,)})
    others = [other for other in bank.facts[:place] if not isinstance(other.event, ModelEvaluated)]
    history = History("job-1", others)
    altered = Fact(envelope, fact.event)
    history.add(altered)
    decision = decide(bank.role, history, altered, bank.own)
    assert all(
        not (isinstance(item, Draft) and isinstance(item.event, ModelEvaluated))
        for item in decision
    )
