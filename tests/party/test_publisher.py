"""The publish pump: nothing is lost, nobody waits for another, order is kept."""

from collections.abc import Callable

import pytest

from bus.endpoint import Delivery, Settled
from bus.errors import BrokerError
from bus.memory import MemoryBroker
from bus.parcel import Outcome, Parcel
from events.preparation import FeaturesPrepared, IdentifiersPosted
from handlers.drafts import blob
from party import lanes, publisher
from party.opening import Party
from party.publisher import Publisher
from store.small_payloads import LARGEST_SMALL
from tests.party.federation import Clock, Node, events, request, say


class ScriptedEndpoint:
    """Answers every parcel as the script says; keeps what was sent."""

    name = "bank"
    connected = True
    connections = 1
    blocked: str | None = None
    last_error: BrokerError | None = None

    def __init__(self, answer: Callable[[Parcel], Outcome]) -> None:
        self.answer = answer
        self.sent: list[Parcel] = []

    def send(self, parcel: Parcel, settled: Settled) -> None:
        self.sent.append(parcel)
        settled(self.answer(parcel))

    def receive(self, timeout: float) -> Delivery | None:
        return None

    def when_delivered(self, tell: Callable[[], None]) -> None:
        pass

    def close(self) -> None:
        pass

    def to(self, recipient: str) -> list[Parcel]:
        return [parcel for parcel in self.sent if parcel.recipient == recipient]


def work(pump: Publisher) -> None:
    for _ in range(4):
        pump.step(0)


def waiting(party: Party) -> list[tuple[str, str | None]]:
    return [(found.recipient, found.reason) for found in party.log.pending_deliveries()]


def test_an_absent_recipient_keeps_nobody_waiting(parties: dict[str, Party]) -> None:
    bank = parties["bank"]
    broker = MemoryBroker()
    sender, arbiter = Node(bank, broker), Node(parties["arbiter"], broker)
    request(bank)
    sender.publish()
    arbiter.receive(3)
    assert events(arbiter.party) == {("bank", "TrainingRequested")}
    (left,) = waiting(bank)
    assert left[0] == "partner"
    assert left[1] is not None
    assert "no queue" in left[1]


def test_an_absent_recipient_gets_everything_once_it_is_there(parties: dict[str, Party]) -> None:
    bank = parties["bank"]
    broker, clock = MemoryBroker(), Clock()
    endpoint = broker.endpoint("bank")
    broker.endpoint("arbiter")
    pump = Publisher(bank, endpoint, clock=clock)
    asked = request(bank)
    for _ in range(20):
        say(bank, FeaturesPrepared(variables=1, columns=1), cause=asked.envelope.id)
        work(pump)
        clock.now += 10
    partner = Node(parties["partner"], broker)
    clock.now += lanes.LONGEST_DELAY
    for _ in range(5):
        work(pump)
    partner.receive()
    assert len(partner.party.log.stream("bank", asked.envelope.stream)) == 21
    assert waiting(bank) == []


def test_the_delay_grows_while_a_recipient_is_absent(parties: dict[str, Party]) -> None:
    bank, clock = parties["bank"], Clock()
    endpoint = ScriptedEndpoint(lambda parcel: Outcome.UNROUTABLE)
    pump = Publisher(bank, endpoint, clock=clock)
    request(bank)
    tries = []
    for _ in range(400):
        work(pump)
        tries.append(len([p for p in endpoint.to("arbiter") if p.kind == "envelope"]))
        clock.now += 0.25
    gaps = [tries.count(count) for count in sorted(set(tries)) if count]
    assert gaps[0] < gaps[1] < gaps[2] < gaps[3]
    assert 0.25 * max(gaps) <= lanes.LONGEST_DELAY + 0.25
    assert 8 <= tries[-1] <= 16


def test_after_very_many_tries_a_delivery_is_parked_where_it_is_seen(
    parties: dict[str, Party], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "PARK_AFTER", 3)
    bank, clock = parties["bank"], Clock()
    broken = ScriptedEndpoint(lambda parcel: Outcome.REFUSED)
    pump = Publisher(bank, broken, clock=clock)
    request(bank)
    for _ in range(5):
        work(pump)
        clock.now += 60
    assert sorted(found.recipient for found in bank.log.parked()) == ["arbiter", "partner"]
    assert all("permissions" in str(found.reason) for found in bank.log.parked())
    broken.answer = lambda parcel: Outcome.CONFIRMED
    with bank.log.transaction() as transaction:
        transaction.retry_parked()
    clock.now += publisher.LOOK_AGAIN_SECONDS
    for _ in range(3):
        work(pump)
    assert bank.log.parked() == []
    assert waiting(bank) == []


def test_a_full_queue_is_never_given_up(
    parties: dict[str, Party], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a partner who reads nothing, then its events wait, with the reason."""
    monkeypatch.setattr(publisher, "PARK_AFTER", 3)
    bank, clock = parties["bank"], Clock()
    endpoint = ScriptedEndpoint(lambda parcel: Outcome.FULL)
    pump = Publisher(bank, endpoint, clock=clock)
    request(bank)
    for _ in range(10):
        work(pump)
        clock.now += 60
    assert bank.log.parked() == []
    assert [recipient for recipient, _ in waiting(bank)] == ["arbiter", "partner"]
    assert all("is full" in str(reason) for _, reason in waiting(bank))
    endpoint.answer = lambda parcel: Outcome.CONFIRMED
    work(pump)
    assert waiting(bank) == []


def test_events_through_a_queue_that_holds_three_messages_all_arrive(
    parties: dict[str, Party],
) -> None:
    """Given more events than the partner's queue holds, when it reads, it gets them all."""
    broker, clock = MemoryBroker(queue_limit=3), Clock()
    bank, partner = parties["bank"], Node(parties["partner"], broker)
    broker.endpoint("arbiter").close()
    pump = Publisher(bank, broker.endpoint("bank"), clock=clock)
    jobs = [f"job-{number}" for number in range(12)]
    for job in jobs:
        request(bank, job=job)
    for _ in range(40):
        work(pump)
        partner.receive(3)
        clock.now += 60
    assert [partner.party.log.stream_head("bank", job) is not None for job in jobs] == [True] * 12
    assert [recipient for recipient, _ in waiting(bank) if recipient == "partner"] == []


def test_what_was_lost_is_sent_again_and_not_counted(parties: dict[str, Party]) -> None:
    bank, clock = parties["bank"], Clock()
    answers = iter([Outcome.LOST] * 4)
    endpoint = ScriptedEndpoint(lambda parcel: next(answers, Outcome.CONFIRMED))
    pump = Publisher(bank, endpoint, clock=clock)
    request(bank)
    for _ in range(4):
        work(pump)
        clock.now += 5
    assert waiting(bank) == []
    assert len(endpoint.to("arbiter")) == 2 or len(endpoint.to("arbiter")) == 3


@pytest.mark.usefixtures("only_chunks")
def test_a_delivery_is_confirmed_when_all_its_parcels_are(parties: dict[str, Party]) -> None:
    bank = parties["bank"]
    answers: list[tuple[Parcel, Settled]] = []

    class Silent(ScriptedEndpoint):
        def send(self, parcel: Parcel, settled: Settled) -> None:
            answers.append((parcel, settled))

    pump = Publisher(bank, Silent(lambda parcel: Outcome.CONFIRMED), clock=Clock())
    request(bank)
    work(pump)
    to_partner = [settled for parcel, settled in answers if parcel.recipient == "partner"]
    assert [parcel.kind for parcel, _ in answers if parcel.recipient == "partner"] == [
        "chunk",
        "envelope",
    ]
    to_partner[1](Outcome.CONFIRMED)
    work(pump)
    assert "partner" in [recipient for recipient, _ in waiting(bank)]
    to_partner[0](Outcome.CONFIRMED)
    work(pump)
    assert [recipient for recipient, _ in waiting(bank)] == ["arbiter"]


@pytest.mark.usefixtures("only_chunks")
def test_a_payload_is_sealed_once_for_all_its_readers(parties: dict[str, Party]) -> None:
    partner = parties["partner"]
    asked = request(parties["bank"])
    endpoint = ScriptedEndpoint(lambda parcel: Outcome.LOST)
    clock = Clock()
    pump = Publisher(partner, endpoint, clock=clock)
    payload = blob("handles", b"h" * LARGEST_SMALL)
    customers = LARGEST_SMALL // 16
    say(partner, IdentifiersPosted(customers=customers), payload, cause=asked.envelope.id)
    for _ in range(3):
        work(pump)
        clock.now += 10
    after_restart = Publisher(partner, endpoint, clock=clock)
    work(after_restart)
    digests = [parcel.headers["sealed"] for parcel in endpoint.sent if parcel.kind == "chunk"]
    assert len(digests) == 4
    assert len(set(digests)) == 1


def test_events_go_out_in_order(parties: dict[str, Party]) -> None:
    bank = parties["bank"]
    asked = request(bank)
    said = [
        say(bank, FeaturesPrepared(variables=1, columns=1), cause=asked.envelope.id)
        for _ in range(30)
    ]
    endpoint = ScriptedEndpoint(lambda parcel: Outcome.CONFIRMED)
    pump = Publisher(bank, endpoint, clock=Clock())
    for _ in range(10):
        work(pump)
    expected = [asked.envelope.id, *(fact.envelope.id for fact in said)]
    for recipient in ("arbiter", "partner"):
        sent = [p.headers["event"] for p in endpoint.to(recipient) if p.kind == "envelope"]
        assert sent == expected


def test_a_parcel_for_a_recipient_names_only_its_own_payloads(parties: dict[str, Party]) -> None:
    bank = parties["bank"]
    request(bank)
    endpoint = ScriptedEndpoint(lambda parcel: Outcome.CONFIRMED)
    work(Publisher(bank, endpoint, clock=Clock()))
    (to_arbiter,) = endpoint.to("arbiter")
    assert set(to_arbiter.headers) == {"event"}
    assert set(endpoint.to("partner")[-1].headers) == {"event", "envelope-bytes", "payload-0"}


def test_confirms_are_written_down_together_once_there_is_a_moment(
    parties: dict[str, Party],
) -> None:
    """Each is a commit, and the log has better things to do while more is to be sent."""
    bank = parties["bank"]
    asked = request(bank)
    endpoint, clock = ScriptedEndpoint(lambda parcel: Outcome.CONFIRMED), Clock()
    pump = Publisher(bank, endpoint, clock=clock)
    pump.step(0)
    for _ in range(3):
        say(bank, FeaturesPrepared(variables=1, columns=1), cause=asked.envelope.id)
        pump.step(0)
    assert len(waiting(bank)) == len(endpoint.sent) == 8
    pump.step(0)
    pump.step(0)
    assert waiting(bank) == []


def test_confirms_do_not_wait_for_long(parties: dict[str, Party]) -> None:
    """Given more is to be sent all the time."""
    bank = parties["bank"]
    asked = request(bank)
    clock = Clock()
    pump = Publisher(bank, ScriptedEndpoint(lambda parcel: Outcome.CONFIRMED), clock=clock)
    pump.step(0)
    pump.step(0)
    clock.now += publisher.NOTE_WITHIN_SECONDS
    say(bank, FeaturesPrepared(variables=1, columns=1), cause=asked.envelope.id)
    pump.step(0)
    assert len(waiting(bank)) == 2


def test_a_confirm_that_was_never_written_down_sends_again(parties: dict[str, Party]) -> None:
    bank = parties["bank"]
    request(bank)
    endpoint = ScriptedEndpoint(lambda parcel: Outcome.CONFIRMED)
    Publisher(bank, endpoint).step(0)
    after_a_crash = Publisher(bank, endpoint)
    work(after_a_crash)
    assert len(endpoint.sent) == 4
    assert waiting(bank) == []
