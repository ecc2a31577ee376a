"""A flood of refusals is counted whole, and costs few commits, few lines and few names."""

from contextlib import AbstractContextManager

import pytest
from structlog.testing import capture_logs

from party.errors import Reason, RefusalError
from party.intake import Intake
from party.opening import Party
from party.refused import AT_ONCE, LINES, LINES_SECONDS, MOST_SENDERS, OTHERS, RefusalAccount
from store.log import Log
from store.transaction import LogTransaction
from tests.party.federation import Clock

MANY = 5_000


@pytest.fixture
def store(parties: dict[str, Party]) -> Log:
    return parties["bank"].log


class Counting:
    """An account, and how often something was written down at once."""

    def __init__(self, store: Log) -> None:
        self.clock = Clock()
        self.store = store
        self.account = RefusalAccount(store, self.clock)
        self.commits = 0

    def enter(self, sender: str, reason: Reason = Reason.NOT_AN_ENVELOPE) -> None:
        if count := self.account.enter(sender, reason, "", str(reason)):
            self.commits += 1
            with self.store.transaction() as transaction:
                count(transaction)

    def counted(self) -> dict[str, int]:
        return {one.sender: one.count for one in self.store.refusals()}


def test_each_is_counted_and_few_are_written_down_alone(store: Log) -> None:
    counting = Counting(store)
    for _ in range(MANY):
        counting.enter("mallory")
    assert counting.commits == AT_ONCE
    assert counting.counted() == {"mallory": AT_ONCE}
    counting.account.settle()
    assert counting.counted() == {"mallory": AT_ONCE}
    counting.clock.now += 1
    counting.account.settle()
    assert counting.counted() == {"mallory": MANY}


def test_whoever_stops_writes_down_what_waits(store: Log) -> None:
    counting = Counting(store)
    for _ in range(MANY):
        counting.enter("mallory")
    counting.account.settle(now=True)
    assert counting.counted() == {"mallory": MANY}


def test_the_output_names_some_and_says_how_many_more(store: Log) -> None:
    counting = Counting(store)
    with capture_logs() as lines:
        for _ in range(MANY):
            counting.enter("mallory")
        counting.clock.now += LINES_SECONDS
        counting.account.settle()
    assert [line["event"] for line in lines].count("refused") == LINES
    (more,) = [line for line in lines if line["event"] == "refused_more"]
    assert (more["sender"], more["times"]) == ("mallory", MANY - LINES)


def test_invented_senders_fill_no_table(store: Log) -> None:
    counting = Counting(store)
    for number in range(MANY):
        counting.enter(f"nobody-{number}")
    counting.account.settle(now=True)
    counted = counting.counted()
    assert len(counted) == MOST_SENDERS + 1
    assert sum(counted.values()) == MANY
    assert counted[OTHERS] == MANY - MOST_SENDERS
    again = Counting(store)  # after a start as before it
    again.enter("nobody-again")
    assert set(again.counted()) == set(counted)


def test_the_intake_counts_a_flood_without_a_commit_each(
    parties: dict[str, Party], monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = parties["bank"]
    intake, begin, commits = Intake(bank, lambda _sender, _event: None), bank.log.transaction, 0

    def counted() -> AbstractContextManager[LogTransaction]:
        nonlocal commits
        commits += 1
        return begin()

    monkeypatch.setattr(bank.log, "transaction", counted)
    for _ in range(MANY):
        intake.record("partner", RefusalError(Reason.FALSE_SIGNATURE), b"{}")
    assert commits <= 2 * AT_ONCE
    intake.settle_refusals(now=True)
    assert [one.count for one in bank.log.refusals()] == [MANY]
