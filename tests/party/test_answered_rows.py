"""Rows answered within the hour are counted on the party's own log (issue: rate limits)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from events.predictions import PredictionTerms
from events.terms import Member
from events.vocabulary import Role
from handlers.initiator import Order, prediction_request
from handlers.scorer import Part, answer
from party.answered_rows import AnsweredRows
from party.appending import Causes, append_draft, store_payloads
from party.jobs import job_history
from party.opening import Party
from tests.party.federation import make_federation


@pytest.fixture
def bank(tmp_path: Path) -> Party:
    return make_federation(tmp_path, "bank", "partner")["bank"]


def terms(rows: int, initiator: str = "bank", model: str = "spring") -> PredictionTerms:
    members = (
        Member(name="bank", role=Role.LOCAL),
        Member(name="partner", role=Role.PARTICIPANT),
    )
    return PredictionTerms(
        members=members, initiator=initiator, model_id=model, way="realtime", rows=rows
    )


def answered(party: Party, asked: PredictionTerms, job: str) -> None:
    """The party asks itself, and answers: both in its log."""
    request = prediction_request(asked, party.own, Order(("1",) * asked.rows), job)
    with party.log.transaction() as transaction:
        append_draft(transaction, party, store_payloads(party, request), Causes(), asked)
    rows = asked.rows
    part = Part(np.zeros((rows, 1)), np.ones(rows, np.bool_), "sigmoid", 1)
    stored = store_payloads(party, answer(job_history(party.log, job), party.own, part))
    with party.log.transaction() as transaction:
        append_draft(transaction, party, stored, Causes(), asked)


def test_what_stands_in_the_log_counts_after_a_new_start(bank: Party) -> None:
    answered(bank, terms(3), "score-1")
    answered(bank, terms(4), "score-2")
    answered(bank, terms(5, model="autumn"), "score-3")
    rows = AnsweredRows(bank.log, "bank")
    assert rows.within_hour(terms(1)) == 7
    assert rows.within_hour(terms(1, model="autumn")) == 5
    assert rows.within_hour(terms(1, model="winter")) == 0


def test_an_hour_later_nothing_counts(bank: Party) -> None:
    answered(bank, terms(3), "score-1")
    rows = AnsweredRows(bank.log, "bank")
    assert rows.within_hour(terms(1)) == 3
    now = datetime.now(UTC)
    assert rows.within_hour(terms(1), now + timedelta(minutes=59)) == 3
    assert rows.within_hour(terms(1), now + timedelta(minutes=62)) == 0


def test_an_answer_counts_once_however_often_it_is_noted(bank: Party) -> None:
    rows, now = AnsweredRows(bank.log, "bank"), datetime.now(UTC)
    for _ in range(2):
        rows.note("score-1", terms(3), now)
    assert rows.within_hour(terms(1), now) == 3
