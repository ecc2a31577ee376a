"""What the log keeps beside the events: deliveries, held envelopes, refusals (design, publish)."""

import pytest

from events.rounds import RoundCompleted
from store import Delivery, EquivocationError, Log, StoreError
from tests.envelopes import Issuer


def append_for(log: Log, issuer: Issuer, *recipients: str) -> int:
    envelope = issuer.says(RoundCompleted(round=1))
    with log.transaction() as transaction:
        return transaction.append(envelope, envelope.canonical_bytes(), recipients)


def places(deliveries: list[Delivery]) -> list[tuple[int, str]]:
    return [(delivery.position, delivery.recipient) for delivery in deliveries]


def test_every_recipient_has_a_delivery_of_its_own_in_order_of_position(log: Log) -> None:
    arbiter = Issuer("arbiter")
    append_for(log, arbiter, "partner", "bank")
    append_for(log, arbiter)
    append_for(log, arbiter, "bank")

    pending = log.pending_deliveries()

    assert places(pending) == [(1, "bank"), (1, "partner"), (3, "bank")]
    assert pending[2].entry == log.read()[2]
    assert [(delivery.attempts, delivery.reason) for delivery in pending] == [(0, None)] * 3


@pytest.mark.parametrize("limit", [1, 2, 3, 10])
def test_pending_deliveries_are_read_page_by_page(log: Log, limit: int) -> None:
    arbiter = Issuer("arbiter")
    for _ in range(4):
        append_for(log, arbiter, "bank", "partner", "auditor")

    pages: list[Delivery] = []
    while page := log.pending_deliveries(limit, after=pages[-1] if pages else None):
        pages.extend(page)

    assert pages == log.pending_deliveries()
    assert len(pages) == 12


def test_a_confirmed_delivery_is_done(log: Log) -> None:
    append_for(log, Issuer("arbiter"), "bank", "partner")

    with log.transaction() as transaction:
        transaction.confirm_delivery(1, "bank")

    assert places(log.pending_deliveries()) == [(1, "partner")]


def test_a_failing_delivery_is_counted_then_parked_and_can_be_retried(log: Log) -> None:
    append_for(log, Issuer("arbiter"), "bank", "partner")

    def fail() -> bool:
        with log.transaction() as transaction:
            return transaction.fail_delivery(1, "bank", "no queue", park_after=3)

    assert [fail(), fail()] == [False, False]
    assert log.pending_deliveries()[0].attempts == 2
    assert log.pending_deliveries()[0].reason == "no queue"
    assert fail()
    assert places(log.pending_deliveries()) == [(1, "partner")]
    assert places(log.parked()) == [(1, "bank")]
    assert log.parked()[0].reason == "no queue"

    with log.transaction() as transaction:
        assert transaction.retry_parked() == 1
    assert log.parked() == []
    assert places(log.pending_deliveries()) == [(1, "bank"), (1, "partner")]
    assert log.pending_deliveries()[0].attempts == 0


def test_settling_what_was_never_meant_is_an_error(log: Log) -> None:
    append_for(log, Issuer("arbiter"), "bank")

    with pytest.raises(StoreError, match="never meant"), log.transaction() as transaction:
        transaction.confirm_delivery(1, "partner")


def test_a_repeated_append_does_not_deliver_again(log: Log) -> None:
    envelope = Issuer("arbiter").says(RoundCompleted(round=1))
    with log.transaction() as transaction:
        transaction.append(envelope, envelope.canonical_bytes(), ["bank"])
        transaction.confirm_delivery(1, "bank")

    with log.transaction() as transaction:
        assert transaction.append(envelope, envelope.canonical_bytes(), ["bank"]) == 1

    assert log.pending_deliveries() == []


def test_held_envelopes_wait_in_order_of_sequence_until_released(log: Log) -> None:
    arbiter = Issuer("arbiter")
    first, second, third = (arbiter.says(RoundCompleted(round=r)) for r in (1, 2, 3))
    with log.transaction() as transaction:
        transaction.hold(third, third.canonical_bytes(), "arbiter", {"chunks": 4})
        transaction.hold(second, second.canonical_bytes(), "arbiter", {})
        transaction.hold(third, third.canonical_bytes(), "arbiter", {"chunks": 5})

    held = log.held("arbiter", "job-1")

    assert [waiting.envelope for waiting in held] == [second, third]
    assert held[1].canonical == third.canonical_bytes()
    assert (held[1].sender, held[1].transport) == ("arbiter", {"chunks": 5})
    assert log.held_streams() == [("arbiter", "job-1")]
    assert log.head() == 0

    with log.transaction() as transaction:
        transaction.append(first, first.canonical_bytes())
        for waiting in transaction.held("arbiter", "job-1"):
            transaction.append(waiting.envelope, waiting.canonical)
            transaction.release(waiting.envelope.id)
    assert log.held("arbiter", "job-1") == []
    assert log.held_streams() == []
    assert log.head() == 3


def test_two_held_contents_in_one_place_are_equivocation(log: Log) -> None:
    one, other = (Issuer("arbiter").says(RoundCompleted(round=r)) for r in (1, 2))
    with log.transaction() as transaction:
        transaction.hold(one, one.canonical_bytes(), "arbiter", {})

    with pytest.raises(EquivocationError), log.transaction() as transaction:
        transaction.hold(other, other.canonical_bytes(), "arbiter", {})


def test_refusals_are_counted_by_sender_reason_and_type(log: Log) -> None:
    for sender in ("partner", "stranger", "partner"):
        with log.transaction() as transaction:
            transaction.refuse(sender, "signature", "RoundCompleted")
    with log.transaction() as transaction:
        transaction.refuse("partner", "not an envelope")

    found = [(r.sender, r.reason, r.type, r.count) for r in log.refusals()]

    assert found == [
        ("partner", "not an envelope", "", 1),
        ("partner", "signature", "RoundCompleted", 2),
        ("stranger", "signature", "RoundCompleted", 1),
    ]
    assert all(refusal.first_time <= refusal.last_time for refusal in log.refusals())


def test_whatever_a_stranger_calls_itself_can_be_counted(log: Log) -> None:
    with log.transaction() as transaction:
        transaction.refuse("a\0b", "x" * 10_000, "\ud800")

    (refusal,) = log.refusals()

    assert (refusal.sender, len(refusal.reason), refusal.type) == ("a?b", 500, "?")
