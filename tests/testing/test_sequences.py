"""The kit says what it expects, and shows the sequence when it is not so (D4)."""

from collections.abc import Callable

import pytest

from events.catalogue import Fact
from events.event import Event
from events.lifecycle import TrainingStopped
from events.rounds import RoundCompleted, StopFlagRaised
from tallystick.testing import Events
from tests.envelopes import Issuer


def story() -> Events:
    """Two rounds: each party's flag, then the arbiter's word, with causes."""
    bank, partner, arbiter = Issuer("bank"), Issuer("partner"), Issuer("arbiter")
    facts: list[Fact[Event]] = []
    cause = None
    for number in (1, 2):
        for issuer in (bank, partner):
            flag = StopFlagRaised(round=number)
            facts.append(Fact(issuer.says(flag, cause=cause), flag))
        last = facts[-1].envelope
        word: Event = RoundCompleted(round=1)
        if number == 2:
            word = TrainingStopped(round=2, reason="round limit")
        facts.append(Fact(arbiter.says(word, cause=last), word))
        cause = facts[-1].envelope
    return Events(facts)


STORY = story()
TRUE: list[Callable[[Events], object]] = [
    lambda events: events.expect("StopFlagRaised").times(4),
    lambda events: events.expect(StopFlagRaised, round=2).by("bank").once(),
    lambda events: events.expect("StopFlagRaised", round=1).from_each("bank", "partner"),
    lambda events: events.expect("StopFlagRaised").at_most_once_per("source", "round"),
    lambda events: events.expect("StopFlagRaised").at_least(1).at_most(4),
    lambda events: events.expect("RoundCompleted").before("TrainingStopped"),
    lambda events: events.expect("TrainingStopped").after("RoundCompleted"),
    lambda events: events.expect("TrainingStopped").because_of("StopFlagRaised"),
    lambda events: events.expect("TrainingFailed").never(),
    lambda events: events.never("TrainingFailed", "WorkFailed"),
    lambda events: events.in_order("StopFlagRaised", "RoundCompleted", "TrainingStopped"),
    lambda events: events.said_by("arbiter").exactly("RoundCompleted", "TrainingStopped"),
    lambda events: events.of("StopFlagRaised").where(round=2).exactly(*2 * ["StopFlagRaised"]),
    lambda events: events.without("StopFlagRaised").exactly("RoundCompleted", TrainingStopped),
    lambda events: events.same_as(Events(reversed(events.facts))),
    lambda events: events.causes_first(),
]
FALSE: list[tuple[Callable[[Events], object], str]] = [
    (lambda e: e.expect("StopFlagRaised").once(), "StopFlagRaised once"),
    (lambda e: e.expect("StopFlagRaised").at_most(3), "at most 3 times, found it 4 times"),
    (lambda e: e.expect("RoundCompleted").at_least(2), "at least 2 times"),
    (lambda e: e.expect("StopFlagRaised").never(), "never, found it 4 times"),
    (lambda e: e.expect("StopFlagRaised").by("arbiter").once(), "of arbiter"),
    (lambda e: e.expect("StopFlagRaised", round=3).once(), "round 3"),
    (lambda e: e.expect("StopFlagRaised").from_each("bank", "partner"), "once from each of bank"),
    (lambda e: e.expect("StopFlagRaised").at_most_once_per("round"), "at most once per round"),
    (lambda e: e.expect("TrainingStopped").before("RoundCompleted"), "before RoundCompleted"),
    (lambda e: e.expect("RoundCompleted").after("TrainingStopped"), "after TrainingStopped"),
    (lambda e: e.expect("TrainingFailed").before("RoundCompleted"), "at all"),
    (lambda e: e.expect("TrainingStopped").because_of("RoundCompleted"), "because of RoundC"),
    (lambda e: e.never("RoundCompleted"), "expected no RoundCompleted"),
    (lambda e: e.in_order("TrainingStopped", "RoundCompleted"), "RoundCompleted after Training"),
    (lambda e: e.said_by("arbiter").exactly("RoundCompleted"), "nothing after number 1"),
    (lambda e: e.said_by("arbiter").exactly(*3 * ["RoundCompleted"]), "as number 2, found Train"),
    (lambda e: e.said_by("bank").exactly(*3 * ["StopFlagRaised"]), "after all of this"),
    (lambda e: e.same_as(e.said_by("bank")), "other side lacks some"),
    (lambda e: e.said_by("bank").same_as(e), "this side lacks some"),
    (lambda e: Events(reversed(e.facts)).causes_first(), "stands before its cause"),
]


@pytest.mark.parametrize("words", TRUE)
def test_what_is_so_is_accepted(words: Callable[[Events], object]) -> None:
    words(STORY)


@pytest.mark.parametrize(("words", "message"), FALSE)
def test_what_is_not_so_is_told_with_the_sequence(
    words: Callable[[Events], object], message: str
) -> None:
    with pytest.raises(AssertionError) as raised:
        words(STORY)
    first, *picture = str(raised.value).splitlines()
    assert message in first
    assert picture
    assert any("arbiter" in line or "bank" in line for line in picture)


def test_the_events_that_matter_are_pointed_at() -> None:
    with pytest.raises(AssertionError) as raised:
        STORY.never("RoundCompleted")
    marked = [line for line in str(raised.value).splitlines() if line.startswith(">")]
    assert marked == [">   3  arbiter      RoundCompleted           round 1"]


def test_the_middle_of_a_long_sequence_is_left_out() -> None:
    with pytest.raises(AssertionError) as raised:
        Events(STORY.facts * 40).never("TrainingFailed").expect("TrainingStopped").once()
    text = str(raised.value)
    assert "events left out" in text
    assert text.count("> ") == 40
    assert len(text.splitlines()) < 130
