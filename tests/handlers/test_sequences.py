"""The exact sequence of events: of a job, a round, a stop, a decline (requirements D4, T1-T10)."""

import pytest

from events.lifecycle import TrainingFailed, TrainingStopped
from events.rounds import EncryptedGradientPosted, MaskedResultDecrypted, StopFlagRaised
from handlers.policy import Policy
from paillier.keys import PrivateKey
from tallystick.testing import Events
from tests.handlers.conftest import federation_rows
from tests.simulation import OPEN_POLICY, SimulatedParty, Simulation, job_terms


def said_by(party: SimulatedParty, source: str) -> Events:
    return Events(party.facts).said_by(source)


def test_each_party_says_exactly_its_part_of_a_job(key: PrivateKey) -> None:
    """Given one participant, when two rounds are allowed, then this is the whole job."""
    federation = Simulation(job_terms(maximum_rounds=2), federation_rows(), key).run()
    round_of_participant = ["EncryptedScorePosted", "EncryptedGradientPosted", "StopFlagRaised"]
    private_of_round = ["ParametersUpdated", "LossRecorded"]
    said_by(federation["bank"], "bank").exactly(
        "DataSnapshotted",
        "TrainingRequested",
        "RowsAligned",
        "DataPrepared",
        "FeaturesPrepared",
        *2
        * [
            "EncryptedResidualPosted",
            "EncryptedGradientPosted",
            *private_of_round,
            "StopFlagRaised",
        ],
        "ModelSaved",
        "ModelEvaluated",
    )
    said_by(federation["arbiter"], "partner").exactly(
        "TrainingAccepted",
        "IdentifiersPosted",
        "FeaturesPrepared",
        *2 * round_of_participant,
        "ModelSaved",
        "PartialScoreReturned",
    )
    decryptions = ["MaskedResultDecrypted", "MaskedResultDecrypted"]
    said_by(federation["bank"], "arbiter").exactly(
        "TrainingAccepted",
        "PublicKeyIssued",
        *decryptions,
        "RoundCompleted",
        *decryptions,
        "TrainingStopped",
    )


@pytest.mark.parametrize("participants", [1, 3])
def test_everybody_has_the_same_shared_events_and_no_private_one(
    participants: int, key: PrivateKey
) -> None:
    federation = Simulation(
        job_terms(participants, auditors=1), federation_rows(participants), key, seed=3
    ).run()
    bank = Events(federation["bank"].facts)
    for name, party in federation.parties.items():
        events = Events(party.facts)
        events.shared.same_as(bank.shared)
        assert {fact.source for fact in events.private} <= {name}
    assert len(said_by(federation["auditor-1"], "auditor-1")) == 0


def test_the_auditor_holds_no_payload(key: PrivateKey) -> None:
    federation = Simulation(job_terms(auditors=1), federation_rows(), key).run()
    assert federation["auditor-1"].payloads.contents == {}


def test_the_arbiter_gets_masked_gradients_and_flags_and_nothing_else(key: PrivateKey) -> None:
    """No row-level ciphertext is ever addressed to who can decrypt it (T6, T7)."""
    federation = Simulation(job_terms(), federation_rows(), key).run()
    addressed = {
        fact.envelope.type
        for fact in federation["arbiter"].facts
        for reference in fact.envelope.payloads
        if "arbiter" in reference.readers
    }
    assert addressed == {"EncryptedGradientPosted", "StopFlagRaised"}


def test_a_masked_result_goes_to_its_owner_alone(key: PrivateKey) -> None:
    federation = Simulation(job_terms(2), federation_rows(2), key).run()
    results = [
        fact
        for fact in federation["arbiter"].facts
        if isinstance(fact.event, MaskedResultDecrypted)
    ]
    assert results
    for fact in results:
        assert isinstance(fact.event, MaskedResultDecrypted)
        assert fact.payload("result").readers == (fact.event.owner,)


def test_every_party_sends_a_flag_in_every_round(key: PrivateKey) -> None:
    federation = Simulation(job_terms(2, maximum_rounds=3), federation_rows(2), key).run()
    events = Events(federation["arbiter"].facts)
    for number in (1, 2, 3):
        for kind in (StopFlagRaised, EncryptedGradientPosted):
            events.expect(kind, round=number).from_each("bank", "partner-1", "partner-2")
    events.expect(StopFlagRaised).because_of(MaskedResultDecrypted)
    events.expect(EncryptedGradientPosted).because_of("EncryptedResidualPosted")


def test_the_stop_needs_every_flag_in_the_same_round(key: PrivateKey) -> None:
    """Given flags that can only be 1 from the second calm round on, it stops there (T9)."""
    terms = job_terms(maximum_rounds=9)
    easy = terms.optimiser.model_copy(update={"stop_threshold": 1e3, "stop_rounds": 2})
    terms = terms.model_copy(update={"optimiser": easy})
    federation = Simulation(terms, federation_rows(), key).run()
    stopped = federation["arbiter"].event(TrainingStopped)
    assert (stopped.round, stopped.reason) == (2, "all flags raised")


def test_the_round_limit_stops_a_training_that_no_flag_stops(key: PrivateKey) -> None:
    federation = Simulation(job_terms(maximum_rounds=2), federation_rows(), key).run()
    stopped = federation["partner"].event(TrainingStopped)
    assert (stopped.round, stopped.reason) == (2, "round limit")


def test_a_decline_ends_the_job_for_everybody_with_the_reason(key: PrivateKey) -> None:
    policies = {"partner-2": Policy(requesters=("another-bank",), accept_short_keys=True)}
    federation = Simulation(
        job_terms(2), federation_rows(2), key, policies={**policies, "bank": OPEN_POLICY}
    ).run()
    for party in federation.parties.values():
        failed = party.event(TrainingFailed)
        assert failed.code == "declined"
        assert "partner-2 declined: bank is not among" in failed.detail
        Events(party.facts).never("IdentifiersPosted")


def test_identifiers_leave_only_after_everybody_has_accepted(key: PrivateKey) -> None:
    federation = Simulation(job_terms(2), federation_rows(2), key, seed=5).run()
    events = Events(federation["partner-1"].facts)
    events.expect("TrainingAccepted").from_each("arbiter", "partner-1", "partner-2")
    events.expect("TrainingAccepted").before("IdentifiersPosted")
