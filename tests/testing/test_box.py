"""A federation in a box really trains; its events can be asserted about from anywhere (D4)."""

from pathlib import Path

import pytest

from audit.export import export_log
from events.catalogue import Fact
from events.event import Event
from events.preparation import RowsAligned
from events.vocabulary import Role
from handlers.drafts import Decision
from handlers.history import History
from handlers.own import Own
from handlers.reactions import decide
from party.errors import RequestError
from tallystick.testing import FederationInABox, events_of

pytest_plugins = ["pytester"]


def test_it_trains_and_every_source_of_events_says_the_same(tmp_path: Path) -> None:
    with FederationInABox(tmp_path, participants=2) as box:
        events = box.train("spring", optimiser={"maximum_rounds": 2})
        events.in_order("TrainingRequested", "RowsAligned", "TrainingStopped", "ModelEvaluated")
        events.expect("StopFlagRaised").at_most_once_per("source", "round")
        events.expect("ModelSaved").from_each("bank", "partner-1", "partner-2")
        events.expect("CheckpointPosted").from_each("bank", "partner-1", "partner-2", "arbiter")
        events.never("TrainingFailed", "CheckpointDisputed").causes_first()
        for name in box.roles:
            box.events(name, "spring").shared.same_as(events.shared)
        export_log(box["bank"], tmp_path / "bank.tally")
        assert events_of(tmp_path / "bank.tally", "spring").types == events.types
        assert events_of(box["bank"].folder.path).types == events.types
        assert events_of(box["bank"].log.read()).types == events.types


CUSTOMERS = [str(number) for number in range(1000, 1040)]


@pytest.mark.parametrize("by", ["bank", "partner-2"])
def test_it_identifies_customers_and_everybody_has_the_same_events(by: str, tmp_path: Path) -> None:
    """Whoever asks: probabilities from each to the arbiter, labels from it to all (L1, L3)."""
    with FederationInABox(tmp_path, participants=2) as box:
        box.train("spring", profile="patent", optimiser={"maximum_rounds": 2})
        events = box.identify("spring", CUSTOMERS, 0.5, by=by)
        events.shared.in_order(
            "IdentificationRequested", "EncryptedProbabilitiesPosted", "CustomersIdentified"
        )
        posted = events.expect("EncryptedProbabilitiesPosted")
        posted.from_each("bank", "partner-1", "partner-2").because_of("IdentificationRequested")
        events.expect("CustomersIdentified", tau=0.5, rows=40).by("arbiter").once()
        events.expect("IdentificationRequested").by(by).once()
        events.private.exactly("CustomersScored", "FinalLabelsRecorded")
        events.never("IdentificationRejected", "WorkFailed").causes_first()
        job = events.facts[0].job
        for name in box.roles:
            box.wait_for("CustomersIdentified", at=name, job=job)
            box.events(name, job).shared.same_as(events.shared)
        box.events("arbiter", job).private.exactly("ModelRecalled")


def test_a_model_of_the_other_profile_identifies_nobody(tmp_path: Path) -> None:
    with FederationInABox(tmp_path) as box:
        box.train("spring", optimiser={"maximum_rounds": 1})
        with pytest.raises(RequestError, match='profile = "patent"'):
            box.identify("spring", CUSTOMERS, 0.5)


def test_a_party_that_misbehaves_is_seen_by_the_others(tmp_path: Path) -> None:
    """Given a partner that cannot go on after alignment, then everybody hears of it, and why."""

    def failing(role: Role, history: History, fact: Fact[Event], own: Own) -> Decision:
        if type(fact.event) is RowsAligned:
            raise MemoryError
        return decide(role, history, fact, own)

    with FederationInABox(tmp_path, handlers={"partner": failing}) as box:
        box.request("spring")
        events = box.wait_for("TrainingFailed", at="arbiter", job="spring")
        events.expect("TrainingFailed", code="internal").by("partner").once()
        events.expect("TrainingFailed").because_of("RowsAligned")
        events.never("EncryptedScorePosted")


def test_waiting_ends_with_what_was_there(tmp_path: Path) -> None:
    with FederationInABox(tmp_path) as box:
        box.request("spring")
        with pytest.raises(AssertionError) as raised:
            box.wait_for("PredictionCompleted", at="bank", job="spring", seconds=0.5)
        assert "bank waits for PredictionCompleted" in str(raised.value)
        assert "TrainingRequested" in str(raised.value)


def test_the_plugin_gives_a_box_that_ends_with_the_test(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(
        """
        def test_a_request_arrives(federation_in_a_box):
            box = federation_in_a_box()
            box.request("spring")
            events = box.wait_for("TrainingAccepted", at="bank", job="spring")
            events.expect("TrainingRequested").by("bank").once()
        """
    )
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    result = pytester.runpytest_subprocess("-p", "tallystick.testing.plugin", "-q")
    result.assert_outcomes(passed=1)
