"""Handlers without a federation: given, when, then."""

import pytest

from events.lifecycle import TrainingAccepted, TrainingRequested
from events.vocabulary import Role
from handlers.policy import Policy
from tallystick.testing import PartyUnderTest, given
from tests.simulation import job_terms

SOME = "ab" * 32
REQUEST = TrainingRequested(
    terms=job_terms(), customers=9, secret_commitment=SOME, data_commitment=SOME
)
ACCEPTED = TrainingAccepted(customers=9, secret_commitment=SOME, data_commitment=None)
OPEN = Policy(accept_short_keys=True, leak_budget=100.0, smallest_overlap=10, smallest_bin=1)


def test_an_arbiter_accepts_and_makes_a_key_when_all_have() -> None:
    arbiter = PartyUnderTest("arbiter", Role.ARBITER, OPEN)
    given(arbiter).when("bank", REQUEST).then("TrainingAccepted")
    waiting = given(arbiter, ("bank", REQUEST), ("arbiter", ACCEPTED))
    waiting.when("partner", ACCEPTED).then("work: key")
    given(arbiter, ("bank", REQUEST)).when("arbiter", ACCEPTED).then_nothing()


def test_a_participant_declines_what_its_policy_does_not_allow() -> None:
    strict = PartyUnderTest("partner", Role.PARTICIPANT, Policy())
    answer = given(strict).when("bank", REQUEST).then("TrainingDeclined")
    assert "above this party's" in answer.event().reason


def test_a_wrong_expectation_shows_what_was_given_and_decided() -> None:
    arbiter = PartyUnderTest("arbiter", Role.ARBITER, OPEN)
    with pytest.raises(AssertionError) as raised:
        given(arbiter).when("bank", REQUEST).then("TrainingDeclined")
    text = str(raised.value)
    assert "expected the decision ['TrainingDeclined'], found ['TrainingAccepted']" in text
    assert ">   1  bank         TrainingRequested" in text
