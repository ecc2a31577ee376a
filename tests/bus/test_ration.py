"""What is rationed: some at once, and as many again in each stretch of time."""

import pytest

from bus import DeadLetter, consumer
from bus.ration import Ration
from tests.brokers import PrivateBroker
from tests.bus.buses import RabbitBus, eventually
from tests.bus.test_limits import parcel


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_as_many_as_allowed_then_none_then_some_again() -> None:
    clock = Clock()
    ration = Ration(10, 5.0, clock)
    assert sum(ration.take() for _ in range(100)) == 10
    clock.now += 1.0
    assert sum(ration.take() for _ in range(100)) == 2
    clock.now += 3600
    assert sum(ration.take() for _ in range(100)) == 10


def test_of_a_flood_only_the_first_become_dead_letters_and_nothing_comes_again(
    rabbitmq: PrivateBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "_DEAD_A_MINUTE", 5)
    bus = RabbitBus(rabbitmq.amqp_url)
    try:
        partner, bank = bus.endpoint(bus.partner), bus.endpoint(bus.bank)
        for number in range(50):
            bank.send(parcel(bus.bank, bus.partner, number), lambda _outcome: None)
        for _ in range(50):
            delivery = partner.receive(20)
            assert delivery is not None
            delivery.reject("garbage")
        letters: list[DeadLetter] = []

        def have_come() -> bool:
            letters.extend(bus.dead_letters(bus.partner))
            return len(letters) >= 5

        assert eventually(have_come)
        bank.send(parcel(bus.bank, bus.partner, 50), lambda _outcome: None)
        last = partner.receive(20)
        assert last is not None
        assert last.parcel.headers["number"] == 50
        last.acknowledge()
        letters += bus.dead_letters(bus.partner)
        assert len(letters) < 20
    finally:
        bus.close()
