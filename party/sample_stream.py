"""Raw samples for Spark Structured Streaming: a Python data source over a stream of RabbitMQ (S6).

A stream keeps its messages and numbers them, so that Spark reads a batch again by its places when
something broke off: nothing is acknowledged, and nothing is lost or doubled. The queue of
party.listening gets the same messages.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import structlog
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.exceptions import AMQPChannelError, AMQPError
from pyspark.sql.datasource import DataSource, SimpleDataSourceStreamReader
from pyspark.sql.types import StructType

from bus.diagnosis import explain_channel, explain_connection
from bus.errors import BrokerError
from bus.link import connection_parameters
from bus.settings import broker_settings
from bus.topology import DEAD_EXCHANGE
from party.listening import EXCHANGE, routing_key, sample_queue
from party.settings import from_environment

FORMAT = "tallystick_samples"
BATCH, PREFETCH = 2000, 1000
WAIT_SECONDS, SILENCE_SECONDS, BATCH_SECONDS = 0.5, 0.05, 0.5
PATIENCE_SECONDS = 60.0
KEPT_FOR, SEGMENT_BYTES = "7D", 20_000_000
PLACE = "x-stream-offset"

Message = tuple[int, str | None, bytes]  # its place in the stream, its type, its body
Offset = dict[str, int]

log = structlog.get_logger()


def stream_queue(party: str, kind: str) -> str:
    return f"{sample_queue(party, kind)}.stream"


def declare_stream(url: str, party: str, kind: str) -> None:
    """The exchange, the stream bound to it, and where the dead letters go. Raises BrokerError."""
    queue, dead = stream_queue(party, kind), f"{sample_queue(party, kind)}.dead"
    with open_channel(url, f"samples of {party}") as channel:
        for exchange in (EXCHANGE, DEAD_EXCHANGE):
            channel.exchange_declare(exchange, "topic", durable=True)
        channel.queue_declare(dead, durable=True, arguments={"x-queue-type": "quorum"})
        channel.queue_bind(dead, DEAD_EXCHANGE, dead)
        arguments = {
            "x-queue-type": "stream",
            "x-max-age": KEPT_FOR,
            "x-stream-max-segment-size-bytes": SEGMENT_BYTES,
        }
        channel.queue_declare(queue, durable=True, arguments=arguments)
        channel.queue_bind(queue, EXCHANGE, routing_key(party, kind))


def bury(url: str, party: str, kind: str, bodies: Sequence[bytes]) -> None:
    """To the dead letters, as party.listening does with what is no sample."""
    with open_channel(url, f"samples of {party}") as channel:
        channel.confirm_delivery()
        for body in bodies:
            channel.basic_publish(DEAD_EXCHANGE, f"{sample_queue(party, kind)}.dead", body)


class open_channel:  # noqa: N801 - used as a function
    """A channel on a connection of its own. Raises BrokerError, also for what goes wrong in it."""

    def __init__(self, url: str, name: str) -> None:
        self._settings = broker_settings(url)
        self._name = name

    def __enter__(self) -> BlockingChannel:
        try:
            self._connection = BlockingConnection(connection_parameters(self._settings, self._name))
            return self._connection.channel()
        except (AMQPError, OSError) as error:
            raise explain_connection(error, self._settings) from None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if self._connection.is_open:
            self._connection.close()
        if isinstance(error, AMQPChannelError):
            raise explain_channel(error, self._settings) from None
        if isinstance(error, AMQPError | OSError):
            raise explain_connection(error, self._settings) from None


class SampleStream(DataSource):
    """`broker` is the address, in which ${VARIABLE} stands for a secret; `queue` is the stream."""

    @classmethod
    def name(cls) -> str:
        return FORMAT

    def schema(self) -> str:
        return "place BIGINT, type STRING, body BINARY"

    def simpleStreamReader(self, schema: StructType) -> "SampleStreamReader":  # noqa: ARG002, N802
        return SampleStreamReader(dict(self.options))


class SampleStreamReader(SimpleDataSourceStreamReader):
    """Reads on the driver; what broke off is read again by a worker, by its places."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._address, self._queue = options["broker"], options["queue"]
        self._subscription: Subscription | None = None

    def initialOffset(self) -> Offset:  # noqa: N802
        return {"place": 0}

    def read(self, start: dict[str, Any]) -> tuple[Iterator[Message], dict[str, Any]]:
        """What is there from `start` on; nothing while the broker is away."""
        try:
            if self._subscription is None or self._subscription.next != start["place"]:
                self._drop()
                self._subscription = self._subscribe(start["place"])
            found = self._subscription.take()
        except (AMQPError, OSError, BrokerError) as error:
            log.warning("sample_stream_lost", error=type(error).__name__)
            self._drop()
            time.sleep(WAIT_SECONDS)
            return iter([]), start
        return iter(found), {"place": found[-1][0] + 1} if found else start

    def readBetweenOffsets(self, start: Offset, end: Offset) -> Iterator[Message]:  # noqa: N802
        """The same messages again. Raises BrokerError."""
        subscription = self._subscribe(start["place"])
        give_up = time.monotonic() + PATIENCE_SECONDS
        try:
            while subscription.next < end["place"]:
                if time.monotonic() > give_up:
                    raise BrokerError(f"{self._queue} has not all messages any more that it had")
                for message in subscription.take():
                    if message[0] < end["place"]:
                        yield message
        finally:
            subscription.close()

    def commit(self, end: Offset) -> None:
        """Nothing to do: the stream forgets by age."""

    def _subscribe(self, place: int) -> "Subscription":
        url = from_environment(self._address, "samples.broker")
        return Subscription(url, self._queue, place)

    def _drop(self) -> None:
        if self._subscription is not None:
            self._subscription.close()
        self._subscription = None


class Subscription:
    """One consumer of a stream from a place on; `next` is the place that it goes on from."""

    def __init__(self, url: str, queue: str, place: int) -> None:
        parameters = connection_parameters(broker_settings(url), f"Spark on {queue}")
        self._connection = BlockingConnection(parameters)
        self._channel = self._connection.channel()
        self._channel.basic_qos(prefetch_count=PREFETCH)
        self._queue = queue
        self._from = place
        self.next = place

    def take(self) -> list[Message]:
        """What has come, after waiting a moment where nothing has."""
        found: list[Message] = []
        started = time.monotonic()
        for method, properties, body in self._channel.consume(
            self._queue,
            arguments={PLACE: self._from},
            inactivity_timeout=SILENCE_SECONDS,
        ):
            waited = time.monotonic() - started
            if method is None:
                if found or waited > WAIT_SECONDS:
                    break
                continue
            self._channel.basic_ack(method.delivery_tag)  # asks for more, and that is all it does
            place = properties.headers[PLACE]
            if place >= self.next:
                if place > self.next:
                    log.warning("samples_expired", queue=self._queue, count=place - self.next)
                found.append((place, properties.type, body))
                self.next = place + 1
            if len(found) >= BATCH or waited > BATCH_SECONDS:
                break
        return found

    def close(self) -> None:
        if self._connection.is_open:
            self._connection.close()
