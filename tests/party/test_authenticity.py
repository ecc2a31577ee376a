"""The attacks of issue 6 over a real RabbitMQ: each refused, counted, set aside, and shown."""

from collections import Counter
from collections.abc import Iterator

import pika
import pytest

from bus import DeadLetter, Endpoint, open_endpoint
from bus.message import parcel_from
from bus.parcel import Outcome, Parcel
from bus.topology import EXCHANGE, dead_queue_name
from events.envelope import event_id
from events.lifecycle import MessageRefused, TrainingAccepted, TrainingFailed
from party.errors import Reason
from party.opening import Party
from party.status import party_status
from tests.brokers import PrivateBroker
from tests.bus.buses import eventually, reason_and_route, settings_for_tests
from tests.party.attack import ALONE, Scene, followed_by
from tests.party.federation import JOB, Node, reasons, request


class Post:
    """RabbitMQ as an attacker with a login uses it: messages by hand, past any endpoint."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self._channel = self._connection.channel()
        self.letters: list[DeadLetter] = []

    def endpoint(self, name: str) -> Endpoint:
        return open_endpoint(settings_for_tests(self._url), name)

    def accept(self, parcel: Parcel) -> Outcome:
        properties = pika.BasicProperties(type=parcel.kind, headers=dict(parcel.headers))
        key = f"{parcel.sender}.{parcel.recipient}"
        self._channel.basic_publish(EXCHANGE, key, parcel.body, properties)
        return Outcome.CONFIRMED

    def dead_letters(self, party: str) -> list[DeadLetter]:
        while (found := self._channel.basic_get(dead_queue_name(party), auto_ack=True))[0]:
            reason, route = reason_and_route(found[1])
            self.letters.append(DeadLetter(parcel_from(route, found[1], found[2]), reason))
        return self.letters

    def close(self) -> None:
        self._connection.close()


class PatientNode(Node):
    """Waits for one message a call, as brokers take their time."""

    def receive(self, parcels: int = 100) -> None:
        self.receiver.step(20)


@pytest.fixture
def scene(parties: dict[str, Party], rabbitmq: PrivateBroker) -> Iterator[Scene]:
    post = Post(rabbitmq.amqp_url)
    bank = PatientNode(parties["bank"], post)  # type: ignore[arg-type]
    yield Scene(parties, post, bank, request(parties["bank"]))  # type: ignore[arg-type]
    bank.endpoint.close()
    post.close()


def test_whatever_is_wrong_is_refused_counted_set_aside_and_shown(scene: Scene) -> None:
    expected: Counter[str] = Counter()
    for reason, attack in ALONE:
        scene.deliver(attack(scene))
        expected[str(reason)] += 1
    party = scene.bank.party
    assert reasons(party) == expected
    assert eventually(lambda: len(scene.broker.dead_letters("bank")) == expected.total())
    assert Counter(letter.reason for letter in scene.broker.dead_letters("bank")) == expected
    assert {(one.sender, one.reason) for one in party_status(party).refused} == {
        ("partner", reason) for reason in expected
    }
    (noted,) = [one for one in party.log.read() if one.envelope.type == MessageRefused.type_name()]
    assert noted.envelope.data["sender"] == "partner"
    scene.deliver(scene.accepted())
    assert scene.count(TrainingAccepted) == 1


def test_what_is_replayed_duplicated_or_out_of_order_counts_once(scene: Scene) -> None:
    first = scene.accepted()
    second = followed_by(scene, first)
    for envelope in (second, second, first, first, second):
        scene.deliver(envelope)
    assert (scene.count(TrainingAccepted), scene.count(TrainingFailed)) == (1, 1)
    assert not reasons(scene.bank.party)


def test_a_second_history_is_noticed_when_it_meets_the_first(scene: Scene) -> None:
    scene.deliver(scene.accepted())
    scene.deliver(scene.accepted(time="2999-01-02T00:00:00.000000Z"))
    assert reasons(scene.bank.party) == {str(Reason.EQUIVOCATION): 1}
    assert scene.count(MessageRefused) == 1


def test_a_message_of_another_job_says_nothing_here(scene: Scene) -> None:
    other = request(scene.bank.party, job="job-2").envelope
    scene.deliver(scene.accepted(cause=other.id))
    moved = {"stream": "job-2", "id": event_id("partner", "job-2", 0)}
    scene.deliver(scene.accepted().model_copy(update=moved))
    assert reasons(scene.bank.party) == {
        str(Reason.FOREIGN_CAUSE): 1,
        str(Reason.FALSE_SIGNATURE): 1,
    }
    assert other.stream != JOB
