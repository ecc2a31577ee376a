"""Members of different releases: the job runs in the newest version that all speak (D1, D2)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.catalogue import CATALOGUE, Fact
from events.errors import EnvelopeError
from events.event import Event
from events.lifecycle import TrainingAccepted, TrainingFailed, TrainingRequested
from events.models import ModelSaved
from events.opening import Opening
from events.predictions import PredictionCompleted, PredictionRejected
from events.rounds import RoundCompleted
from events.versions import ONLY_THE_FIRST, Versions, only
from handlers import protocol_versions
from handlers.agreement import agreed_version, asking_about, written
from handlers.conformance import check_conformance
from handlers.errors import ProtocolError
from handlers.history import History
from handlers.protocol_versions import AGREEMENT, SCHEMAS_UNTIL, SPOKEN, schema_in
from paillier.keys import PrivateKey
from tests.envelopes import SOME_DIGEST
from tests.handlers.conftest import federation_rows
from tests.handlers.test_predictions import HALVES, IDS
from tests.prediction_simulation import PredictionSimulation, prediction_terms
from tests.simulation import Simulation, job_terms

MEMBERS = ("bank", "partner", "arbiter")
FUTURE = Versions(oldest=2, newest=3)


def trained(key: PrivateKey, seed: int = 0, **speaks: Versions) -> Simulation:
    return Simulation(job_terms(), federation_rows(), key, seed, speaks=speaks).run()


def version_at(federation: Simulation, name: str) -> int | None:
    history = federation[name].history
    assert history is not None
    return agreed_version(history)


def model_of(federation: Simulation, name: str) -> str:
    history = federation[name].history
    assert history is not None
    return history.one(ModelSaved, source=name).payload("model").commitment


def shared(federation: Simulation, name: str) -> list[Fact[Event]]:
    return [fact for fact in federation[name].facts if not fact.envelope.is_private]


def without_rounds(patch: pytest.MonkeyPatch) -> None:
    """As if RoundCompleted had come with version 2."""
    first: dict[type[Event], int] = {**SCHEMAS_UNTIL[1], RoundCompleted: 0}
    patch.setattr(protocol_versions, "SCHEMAS_UNTIL", {1: first})


versions = st.tuples(st.integers(1, 6), st.integers(1, 6)).map(
    lambda pair: Versions(oldest=min(pair), newest=max(pair))
)


@given(versions, versions)
def test_what_is_common_is_what_both_speak(one: Versions, other: Versions) -> None:
    def all_of(spoken: Versions | None) -> set[int]:
        return set(range(spoken.oldest, spoken.newest + 1)) if spoken else set()

    assert all_of(one.common(other)) == all_of(one) & all_of(other)
    assert one.common(other) == other.common(one)


def test_members_of_one_release_run_a_job_in_its_newest_version(key: PrivateKey) -> None:
    federation = trained(key)
    assert {version_at(federation, name) for name in MEMBERS} == {SPOKEN.newest}


@pytest.mark.parametrize("held", ["bank", "partner", "arbiter"])
@pytest.mark.parametrize("seed", [1, 2])
def test_with_one_member_of_an_older_version_the_others_train_the_same_model(
    held: str, seed: int, key: PrivateKey
) -> None:
    """Given one member that speaks version 1 alone, then all run the job in it, model unchanged."""
    federation = trained(key, seed, **{held: ONLY_THE_FIRST})
    assert {version_at(federation, name) for name in MEMBERS} == {1}
    newest = trained(key)
    for name in ("bank", "partner"):
        assert model_of(federation, name) == model_of(newest, name)


def test_a_request_in_the_first_version_is_told_as_it_was_told_then(key: PrivateKey) -> None:
    """Software of that release reads every event of the job: no field, no version is newer."""
    federation = trained(key, bank=ONLY_THE_FIRST)
    for fact in shared(federation, "arbiter"):
        assert fact.envelope.schemaversion <= schema_in(1, type(fact.event))
        assert "speaks" not in fact.envelope.data
        terms = fact.envelope.data.get("terms", {})
        assert isinstance(terms, dict)
        assert "escrows" not in terms


def test_who_cannot_speak_what_is_offered_says_who_has_to_be_upgraded(key: PrivateKey) -> None:
    federation = trained(key, bank=only(2), partner=ONLY_THE_FIRST)
    failed = federation["bank"].event(TrainingFailed)
    assert failed == TrainingFailed(
        code="protocol",
        detail="no version of the protocol is common to all: bank speaks version 2, partner "
        "speaks version 1; upgrade partner",
    )
    assert not federation["arbiter"].types()[3:]


def test_members_who_have_no_version_in_common_are_named_once(key: PrivateKey) -> None:
    """Each of them has one in common with the bank; only all the answers together show it."""
    federation = trained(
        key, bank=Versions(oldest=1, newest=3), partner=ONLY_THE_FIRST, arbiter=FUTURE
    )
    for name in MEMBERS:
        assert federation[name].types(private=False).count("TrainingFailed") == 1
        assert "PublicKeyIssued" not in federation[name].types()
    told = federation["partner"].event(TrainingFailed)
    assert told.code == "protocol"
    assert "bank speaks versions 1 to 3" in told.detail
    assert told.detail.endswith("upgrade partner")


def test_an_event_that_the_jobs_version_does_not_have_is_refused_by_name(
    key: PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member that says more than was agreed is found by whoever receives it, and by auditors."""
    federation = trained(key, partner=ONLY_THE_FIRST)
    without_rounds(monkeypatch)
    history = History("job-1")
    told = []
    for fact in shared(federation, "bank"):
        history.add(fact)
        try:
            check_conformance(history, fact)
        except ProtocolError as error:
            told.append(str(error))
    [said] = set(told)
    assert said.startswith("arbiter says RoundCompleted 1 in a job that runs in version 1")
    assert said.endswith("which has no such event")
    with pytest.raises(EnvelopeError, match="version 1 of the protocol has no RoundCompleted"):
        written(RoundCompleted(round=1), 1)
    assert written(RoundCompleted(round=1), 2) == (1, {"round": 1})


def test_what_was_said_too_early_is_found_when_the_last_member_accepts(
    key: PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    federation = trained(key, partner=ONLY_THE_FIRST)
    facts = shared(federation, "bank")
    [late] = [
        one for one in facts if isinstance(one.event, TrainingAccepted) and one.source == "partner"
    ]
    early = next(fact for fact in facts if isinstance(fact.event, RoundCompleted))
    without_rounds(monkeypatch)
    with pytest.raises(ProtocolError, match="arbiter says RoundCompleted"):
        check_conformance(History("job-1", [facts[0], early, late]), late)


def test_what_the_older_version_cannot_say_is_not_left_out(key: PrivateKey) -> None:
    accepted = TrainingAccepted(
        customers=1, secret_commitment=SOME_DIGEST, data_commitment=None, speaks=SPOKEN
    )
    with pytest.raises(EnvelopeError, match="newer"):
        CATALOGUE.write(accepted, 2)
    silent = accepted.model_copy(update={"speaks": ONLY_THE_FIRST})
    assert "speaks" not in CATALOGUE.write(silent, 2)
    request = trained(key)["bank"].event(TrainingRequested)
    assert isinstance(request, Opening)
    with pytest.raises(EnvelopeError, match="newer"):
        CATALOGUE.write(request, 2)


def test_scores_are_asked_for_in_the_version_of_the_models_training(key: PrivateKey) -> None:
    federation = trained(key, partner=ONLY_THE_FIRST)
    bank = federation["bank"]
    assert bank.history is not None
    assert asking_about(bank.history, bank.own).speaks == ONLY_THE_FIRST
    assert asking_about(History("another"), bank.own).speaks == SPOKEN
    raised = replace(bank.own, speaks=FUTURE)
    assert asking_about(bank.history, raised).speaks == only(2)


@pytest.mark.parametrize(("spoken", "answers"), [(SPOKEN, True), (only(AGREEMENT - 1), False)])
def test_a_request_for_scores_is_rejected_by_who_does_not_speak_its_version(
    spoken: Versions, answers: bool
) -> None:
    federation = PredictionSimulation(prediction_terms(len(IDS)), IDS, HALVES)
    partner = federation["partner"]
    partner.own = replace(partner.own, speaks=spoken)
    federation.run()
    assert ("PredictionCompleted" in federation["bank"].types()) is answers
    if not answers:
        rejected = federation["bank"].event(PredictionRejected)
        assert rejected.code == "protocol"
        assert rejected.detail.endswith("partner speaks version 1; upgrade partner")
    else:
        assert federation["bank"].event(PredictionCompleted).rows == len(IDS)
