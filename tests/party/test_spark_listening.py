"""Raw samples from a queue through Spark Structured Streaming: as batch has them (S6)."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pika
import pytest
from pyspark.sql import SparkSession
from sqlglot import exp

from events.catalogue import CATALOGUE
from events.features import FeaturesRefreshed
from events.vocabulary import Role
from party.creating import create_party
from party.listening import EXCHANGE, MESSAGE_TYPE, routing_key, sample_queue
from party.opening import Party, open_party
from party.refreshing import refresh_features
from party.sample_stream import SampleStreamReader, declare_stream, stream_queue
from party.samples import open_samples
from party.spark_listening import listen_by_spark, spark_session
from scoring.engines.engine import Engine
from scoring.engines.hive_engine import HiveEngine
from scoring.engines.opening import open_engine
from scoring.errors import ExtractionError
from tests.brokers import PrivateBroker
from tests.end_to_end.test_two_engines import inner_table
from tests.hive.servers import HiveServer
from tests.java import java_home

Features = dict[str, tuple[object, ...]]

BROKER = "TALLY_TEST_SAMPLES_BROKER"
SETTINGS = """
[samples.customer]
engine = {engine}
table = "customers"
id = "phone"
observed = "seen"
extraction = "customer.sql"
broker = "${{{broker}}}"
columns = {{phone = "text", paid = "number", branch = "text", opened = "time", seen = "time"}}
"""
SCRIPT = """
SELECT c.phone AS sample_id, c.seen AS observed_at, c.paid / 3 AS third, upper(c.branch) AS branch,
       CASE WHEN c.branch LIKE 'o\\'%' THEN b.size END AS office, c.opened
FROM customers AS c LEFT JOIN branches AS b ON b.branch = c.branch
"""
BRANCHES = "CREATE TABLE branches AS SELECT 'o\\'hara' AS branch, 12 AS size"


@pytest.fixture(scope="module")
def session(
    tmp_path_factory: pytest.TempPathFactory, rabbitmq_server: PrivateBroker
) -> Iterator[SparkSession]:
    """As the command starts it; this process of Java has the broker's address, and a table."""
    folder = tmp_path_factory.mktemp("spark")
    metastore = f"jdbc:derby:;databaseName={folder}/metastore;create=true"
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.memory": "1g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.extraJavaOptions": f"-Dderby.stream.error.file={folder}/derby.log",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": folder / "warehouse",
        "spark.hadoop.javax.jdo.option.ConnectionURL": metastore,
        "spark.local.dir": folder,
        "spark.log.level": "ERROR",
    }
    lines = [f"{name} {value}\n" for name, value in settings.items()]
    (folder / "spark-defaults.conf").write_text("".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(BROKER, rabbitmq_server.amqp_url)
        patch.setenv("JAVA_HOME", str(java_home(folder)))
        patch.setenv("SPARK_CONF_DIR", str(folder))
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        session = spark_session("local[2]", "samples of bank")
    session.sql(BRANCHES)
    yield session
    session.stop()
    gateway = session.sparkContext._gateway
    assert gateway is not None
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()


@pytest.fixture
def party(
    tmp_path: Path,
    rabbitmq: PrivateBroker,
    spark_server: HiveServer,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Party]:
    """Its batch engine is Spark's Thrift Server."""
    monkeypatch.setenv(BROKER, rabbitmq.amqp_url)
    settings = spark_server.fresh_database(monkeypatch)
    with open_engine(settings) as opened_engine:
        assert isinstance(opened_engine, HiveEngine)
        opened_engine._run(BRANCHES)
    engine = inner_table(settings)
    tables = SETTINGS.format(broker=BROKER, engine=engine)
    folder = create_party(tmp_path / "bank", Role.LOCAL, "bank", tables=tables)
    (folder.path / "customer.sql").write_text(SCRIPT, encoding="utf-8")
    with pika.BlockingConnection(pika.URLParameters(rabbitmq.amqp_url)) as connection:
        dead = sample_queue("bank", "customer") + ".dead"
        for queue in (stream_queue("bank", "customer"), sample_queue("bank", "customer"), dead):
            connection.channel().queue_delete(queue)
    declare_stream(rabbitmq.amqp_url, "bank", "customer")
    with closing(open_party(folder.path)) as opened:
        yield opened


@contextmanager
def listening(party: Party, session: SparkSession) -> Iterator[list[BaseException]]:
    """What goes wrong is told, and stops what waits."""
    stopping = threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            listen_by_spark(party, "customer", stopping, session)
        except BaseException as failure:  # noqa: BLE001 - told below
            failures.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield failures
    finally:
        stopping.set()
        thread.join()
    assert not failures


def send(rabbitmq: PrivateBroker, *bodies: object, type_: str | None = MESSAGE_TYPE) -> None:
    with pika.BlockingConnection(pika.URLParameters(rabbitmq.amqp_url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for body in bodies:
            text = body if isinstance(body, bytes) else json.dumps(body).encode()
            properties = pika.BasicProperties(type=type_)
            key = routing_key("bank", "customer")
            channel.basic_publish(EXCHANGE, key, text, properties, mandatory=True)


def sample(phone: str, paid: float | None, seen: str, **others: object) -> dict[str, object]:
    return {"phone": phone, "paid": paid, "branch": "o'hara", "seen": seen, **others}


def features(engine: Engine) -> Features:
    if engine.columns("features_customer") is None:
        return {}
    names = ("sample_id", "third", "branch", "office", "opened", "observed_at")
    wanted = [exp.column(name, quoted=True) for name in names]
    rows = engine.rows(exp.select(*wanted).from_("features_customer"))
    return {str(row[0]): tuple(row[1:-1]) for row in rows}


def wait_for(
    party: Party, failures: list[BaseException], holds: Callable[[Features], bool]
) -> Features:
    give_up = time.monotonic() + 300
    with open_samples(party.settings, party.folder.path) as samples:
        while not holds(found := features(samples.lookup)):
            for failure in failures:
                raise failure
            assert time.monotonic() < give_up, "it did not come"
            time.sleep(0.1)
    return found


def events(party: Party, origin: str) -> list[FeaturesRefreshed]:
    found = [CATALOGUE.read(one.envelope).event for one in party.log.read()]
    refreshed = [event for event in found if isinstance(event, FeaturesRefreshed)]
    return [event for event in refreshed if event.origin == origin]


def test_a_sample_becomes_the_features_that_batch_makes_of_it(
    party: Party, rabbitmq: PrivateBroker, session: SparkSession
) -> None:
    """Given samples on the queue, then the look-up engine has their features, the newest of each;
    and after the next refresh the batch engine has the same, made by its own SQL.
    """
    with listening(party, session) as failures:
        send(
            rabbitmq,
            sample("1", 2.5, "2024-03-05T10:00:00", opened="2024-03-01"),
            sample("2", 1.0, "2024-03-07", opened="2024-03-01"),
            sample("2", 0.1, "2024-03-06"),
            sample("3", None, "2024-03-06", branch='é ${x} \\ "'),
        )
        wait_for(party, failures, lambda found: len(found) == 3)
        send(rabbitmq, sample("1", 7.0, "2024-03-04"), sample("3", 1e-300, "2024-03-08"))
        found = wait_for(party, failures, lambda found: found["3"][0] is not None)
    assert found == {
        "1": (2.5 / 3, "O'HARA", 12.0, 4.0),
        "2": (1 / 3, "O'HARA", 12.0, 6.0),
        "3": (1e-300 / 3, "O'HARA", 12.0, None),
    }
    [streamed] = events(party, "stream")
    assert streamed.rows == 4

    refresh_features(party)

    with open_samples(party.settings, party.folder.path) as samples:
        assert features(samples.batch) == features(samples.lookup) == found
    [refreshed] = events(party, "refresh")
    assert refreshed.samples == 3


def test_spark_goes_on_where_it_stopped(
    party: Party, rabbitmq: PrivateBroker, session: SparkSession
) -> None:
    """What came meanwhile is taken, what was taken is not taken again; what is no sample goes to
    the dead letters.
    """
    with listening(party, session) as failures:
        send(rabbitmq, sample("1", 3.0, "2024-03-05"))
        wait_for(party, failures, lambda found: set(found) == {"1"})
    send(rabbitmq, sample("2", 3.0, "2024-03-05"), b"no sample", {"unknown": 1})
    send(rabbitmq, sample("4", 3.0, "2024-03-05"), type_="SomethingElse")
    with listening(party, session) as failures:
        wait_for(party, failures, lambda found: set(found) == {"1", "2"})
        send(rabbitmq, sample("3", 3.0, "2024-03-05"))
        wait_for(party, failures, lambda found: set(found) == {"1", "2", "3"})

    assert sum(event.rows for event in events(party, "stream")) == 3
    with pika.BlockingConnection(pika.URLParameters(rabbitmq.amqp_url)) as connection:
        dead = connection.channel().queue_declare(
            sample_queue("bank", "customer") + ".dead", passive=True
        )
    assert dead.method.message_count == 3


def test_a_batch_that_broke_off_is_read_again_by_its_places(
    party: Party, rabbitmq: PrivateBroker
) -> None:
    """Given places that Spark wrote down, then exactly these messages come again (exactly once)."""
    options = {"broker": f"${{{BROKER}}}", "queue": stream_queue("bank", "customer")}
    send(rabbitmq, *(sample(str(number), 1.0, "2024-03-05") for number in range(30)))
    reader = SampleStreamReader(options)
    messages, end = reader.read(reader.initialOffset())
    first = list(messages)
    assert [place for place, _, _ in first] == list(range(30))
    assert end == {"place": 30}
    assert reader.read(end)[1] == end

    again = SampleStreamReader(options).readBetweenOffsets({"place": 7}, {"place": 21})

    assert list(again) == first[7:21]
    reader._drop()


def test_a_script_in_another_engines_sql_is_refused(
    tmp_path: Path, rabbitmq: PrivateBroker, session: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BROKER, rabbitmq.amqp_url)
    tables = SETTINGS.format(broker=BROKER, engine='"duckdb:///bank.duckdb"')
    folder = create_party(tmp_path / "bank", Role.LOCAL, "bank", tables=tables)
    (folder.path / "customer.sql").write_text(SCRIPT, encoding="utf-8")
    with (
        closing(open_party(folder.path)) as party,
        pytest.raises(ExtractionError, match="leave --spark out"),
    ):
        listen_by_spark(party, None, threading.Event(), session)
