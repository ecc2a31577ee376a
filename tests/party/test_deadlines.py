"""A job whose members do not answer in time ends, and says who was waited for (D2)."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from events.lifecycle import DeadlinePassed, TrainingAccepted, TrainingFailed
from events.terms import Terms
from handlers.reactions import decide
from party.deadlines import DeadlineKeeper
from party.jobs import job_history
from party.opening import Party
from party.reactor import Reactor
from tests.party.federation import HEX, JOB, request, say, terms

TOMORROW = timedelta(minutes=terms().answer_within_minutes + 1)


def later() -> datetime:
    return datetime.now(UTC) + TOMORROW


def test_before_the_deadline_nothing_is_said(parties: dict[str, Party]) -> None:
    bank = parties["bank"]
    request(bank)
    DeadlineKeeper(bank).step(timeout=0)
    assert not job_history(bank.log, JOB).has(DeadlinePassed)


def test_after_the_deadline_the_job_fails_and_names_who_was_waited_for(
    parties: dict[str, Party],
) -> None:
    bank = parties["bank"]
    request(bank)
    keeper = DeadlineKeeper(bank)
    keeper.step(timeout=0, now=later())
    keeper.step(timeout=0, now=later())
    reactor = Reactor(bank, decide)
    while reactor.step_once():
        pass
    history = job_history(bank.log, JOB)
    assert history.one(DeadlinePassed).event.waiting_for == ("partner", "arbiter")
    failed = history.one(TrainingFailed).event
    assert (failed.code, failed.detail) == ("deadline", "no answer in time from partner, arbiter")


def test_a_keeper_that_starts_again_says_nothing_twice(parties: dict[str, Party]) -> None:
    bank = parties["bank"]
    request(bank)
    for _ in range(2):
        DeadlineKeeper(bank).step(timeout=0, now=later())
    assert len(job_history(bank.log, JOB).of(DeadlinePassed)) == 1


def test_only_the_party_that_asked_keeps_the_deadline(parties: dict[str, Party]) -> None:
    partner = parties["partner"]
    accepted = TrainingAccepted(customers=1, secret_commitment=HEX, data_commitment=None)
    say(partner, accepted)
    DeadlineKeeper(partner).step(timeout=0, now=later())
    assert partner.log.head() == 1


def test_a_job_that_makes_no_sense_keeps_no_other_from_its_deadline(
    parties: dict[str, Party], capsys: pytest.CaptureFixture[str]
) -> None:
    bank = parties["bank"]
    for job in ("twice", "twice", "sound"):
        request(bank, job=job)
    keeper = DeadlineKeeper(bank)
    keeper.step(timeout=0, now=later())
    keeper.step(timeout=0, now=later())
    assert job_history(bank.log, "sound").has(DeadlinePassed)
    assert not job_history(bank.log, "twice").has(DeadlinePassed)
    assert capsys.readouterr().out.count("job_without_deadline") == 1


def test_a_deadline_is_a_year_away_at_most() -> None:
    year = terms().model_dump() | {"answer_within_minutes": 366 * 24 * 60}
    with pytest.raises(ValidationError, match="answer_within_minutes"):
        Terms.model_validate(year)
