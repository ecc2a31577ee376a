"""Servers that tests share: started once, when the first test asks."""

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

from tests.brokers import PrivateBroker, private_broker
from tests.databases import private_postgres
from tests.hive.real import launch_real_hive
from tests.hive.servers import HiveServer
from tests.hive.thrift import launch_thrift_server
from tests.java import shared

# No test here is about time, and the machine may be busy.
settings.register_profile("without deadlines", deadline=None)
settings.load_profile("without deadlines")


@pytest.fixture(autouse=True)
def unconfigured_logging() -> None:
    """Commands set up logging for their process; no test inherits that of another."""
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL of this test run's own."""
    with private_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[PrivateBroker]:
    """A RabbitMQ of this test run's own: tests may raise alarms but must clear them."""
    with private_broker("mallory") as broker:
        yield broker


@pytest.fixture
def rabbitmq(rabbitmq_server: PrivateBroker) -> PrivateBroker:
    """With nothing of the tests before in it."""
    rabbitmq_server.forget("bank", "partner", "arbiter", "initiator")
    return rabbitmq_server


@pytest.fixture(scope="session")
def spark_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HiveServer]:
    """Spark's Thrift Server, with a login and TLS."""
    workers = hasattr(request.config, "workerinput")
    folder = tmp_path_factory.getbasetemp()
    with shared("spark", folder.parent if workers else folder, workers, launch_thrift_server) as it:
        yield HiveServer(it)


@pytest.fixture(scope="session")
def real_hive(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HiveServer]:
    """Hive 2.3 itself: slow, and stricter than Spark."""
    workers = hasattr(request.config, "workerinput")
    folder = tmp_path_factory.getbasetemp()
    with shared("hive", folder.parent if workers else folder, workers, launch_real_hive) as it:
        yield HiveServer(it)
