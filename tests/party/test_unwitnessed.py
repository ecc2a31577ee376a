"""Long streams of predictions are covered by checkpoints too, one for many of them (D4)."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from events.predictions import PredictionTerms
from events.terms import Member
from events.vocabulary import Role
from events.witness import CheckpointPosted
from handlers.initiator import Order, prediction_request
from handlers.scorer import Part, answer
from party import unwitnessed
from party.appending import Causes, append_draft, store_payloads
from party.checkpointing import CheckpointKeeper
from party.jobs import job_history
from party.opening import Party
from tests.party.federation import make_federation

AN_HOUR = timedelta(minutes=61)
TERMS = PredictionTerms(
    members=(
        Member(name="bank", role=Role.LOCAL),
        Member(name="partner", role=Role.PARTICIPANT),
    ),
    initiator="bank",
    model_id="spring",
    way="realtime",
    rows=1,
)


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Party]:
    with closing(make_federation(tmp_path, "bank", "partner")["bank"]) as party:
        yield party


def ask(bank: Party, job: str) -> None:
    stored = store_payloads(bank, prediction_request(TERMS, bank.own, Order(("1",)), job))
    with bank.log.transaction() as transaction:
        append_draft(transaction, bank, stored, Causes(), TERMS)


def predict(bank: Party, job: str) -> None:
    """The bank asks, and answers for itself."""
    ask(bank, job)
    part = Part(np.zeros((1, 1)), np.ones(1, np.bool_), "sigmoid", 1)
    history = job_history(bank.log, job)
    stored = store_payloads(bank, answer(history, bank.own, part))
    causes = Causes(shared=history.opening.envelope.id)
    with bank.log.transaction() as transaction:
        append_draft(transaction, bank, stored, causes, TERMS)


def posted(bank: Party) -> list[str]:
    """The jobs in whose streams a checkpoint was posted, in the order of the log."""
    kind = CheckpointPosted.type_name()
    return [one.envelope.stream for one in bank.log.read() if one.envelope.type == kind]


def test_one_checkpoint_goes_to_the_newest_of_an_interval(bank: Party) -> None:
    for job in ("one", "two", "three"):
        predict(bank, job)
    keeper, now = CheckpointKeeper(bank), datetime.now(UTC)
    keeper.step(0, now)
    assert posted(bank) == []
    covered = bank.log.head()
    keeper.step(0, now + AN_HOUR)
    assert posted(bank) == ["three"]
    (fact,) = job_history(bank.log, "three").of(CheckpointPosted)
    assert fact.event.size == covered


def test_nothing_new_needs_no_other_one(bank: Party) -> None:
    predict(bank, "one")
    now = datetime.now(UTC) + AN_HOUR
    keeper = CheckpointKeeper(bank)
    for _ in range(3):
        keeper.step(0, now)
        now += AN_HOUR
    CheckpointKeeper(bank).step(0, now)  # after a new start
    assert posted(bank) == ["one"]
    predict(bank, "two")
    keeper.step(0, now)
    assert posted(bank) == ["one", "two"]


def test_many_events_do_not_wait_for_the_interval(
    bank: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unwitnessed, "MOST_EVENTS", 4)
    keeper = CheckpointKeeper(bank)
    for number in range(5):
        predict(bank, f"score-{number}")
        keeper.step(0)
    assert posted(bank) == ["score-1", "score-3"]


def test_a_prediction_under_way_is_left_to_its_parties(bank: Party) -> None:
    ask(bank, "one")
    CheckpointKeeper(bank).step(0, datetime.now(UTC) + AN_HOUR)
    assert posted(bank) == []
