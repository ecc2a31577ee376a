"""A private RabbitMQ for all tests of the bus, and each bus in turn for the contract."""

from collections.abc import Iterator

import pytest

from tests.brokers import PrivateBroker, private_broker
from tests.bus.buses import Bus, MemoryBus, RabbitBus


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[PrivateBroker]:
    """Shared: tests may raise alarms but must clear them, and never kill it."""
    with private_broker("mallory") as broker:
        yield broker


@pytest.fixture(params=["memory", "rabbitmq"])
def bus(request: pytest.FixtureRequest) -> Iterator[Bus]:
    bus: Bus
    if request.param == "memory":
        bus = MemoryBus()
    else:
        bus = RabbitBus(request.getfixturevalue("rabbitmq").amqp_url)
    yield bus
    bus.close()
