"""Each bus in turn for the contract."""

from collections.abc import Iterator

import pytest

from tests.bus.buses import Bus, MemoryBus, RabbitBus


@pytest.fixture(params=["memory", "rabbitmq"])
def bus(request: pytest.FixtureRequest) -> Iterator[Bus]:
    bus: Bus
    if request.param == "memory":
        bus = MemoryBus()
    else:
        bus = RabbitBus(request.getfixturevalue("rabbitmq").amqp_url)
    yield bus
    bus.close()
