"""Raw samples from a queue of the party's own broker: `SampleObserved` (requirement S6).

A message is a JSON object with the raw columns of its kind of sample. It is acknowledged when its
features can be looked up; what is no sample goes to the dead letters, counted and not shown.
"""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import pika
import structlog
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.exceptions import AMQPChannelError, AMQPError

from bus.blocking import check_consuming, leave
from bus.diagnosis import explain_channel, explain_connection
from bus.errors import BrokerError
from bus.link import connection_parameters
from bus.settings import broker_settings
from bus.topology import DEAD_EXCHANGE
from events.features import FeaturesRefreshed
from party.errors import BusyError, SettingsError
from party.opening import Party
from party.refreshing import note_refreshed, refreshing_alone
from party.samples import open_samples
from party.settings import from_environment
from scoring.arriving import Arrivals, settle
from scoring.digests import FeatureDigest
from scoring.errors import RawSampleError, ScoringError
from scoring.raw_samples import RawRow
from scoring.samples import Samples

MESSAGE_TYPE = "SampleObserved"
EXCHANGE = "tallystick.samples"
BATCH, BATCH_SECONDS = 500, 0.1
SETTLE_SECONDS, NOTE_SECONDS = 5.0, 60.0
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 10.0
DELIVERY_LIMIT = 20

log = structlog.get_logger()


def routing_key(party: str, kind: str) -> str:
    """With which a sample goes to the exchange."""
    return f"{party}.{kind}"


def sample_queue(party: str, kind: str) -> str:
    return f"tallystick.{party}.samples.{kind}"


def broker_of(samples: Samples, broker: str | None = None) -> str:
    """The address, in which ${VARIABLE} stands for a secret. Raises SettingsError."""
    address = broker or samples.kind.broker
    if address is None:
        raise SettingsError(
            f"[samples.{samples.name}] names no broker: name one of this party's own, for raw "
            "samples do not go through the federation's"
        )
    return address


def note_stream(party: Party, kind: str, digest: FeatureDigest) -> None:
    """Counts and a digest of what a stream brought, if it did."""
    if digest.rows:
        event = FeaturesRefreshed(
            kind=kind, origin="stream", rows=digest.rows, digest=digest.hexdigest()
        )
        note_refreshed(party, event)


def listen(
    party: Party, kind: str | None, stopping: threading.Event, broker: str | None = None
) -> None:
    """Take samples until `stopping` is set. Raises SettingsError, ScoringError, BusError."""
    with open_samples(party.settings, party.folder.path, kind) as samples:
        address = broker_of(samples, broker)
        url = from_environment(address, f"samples.{samples.name}.broker")
        settling = threading.Thread(target=_settle, args=(party, samples.name, stopping))
        listener = Listener(party, samples, url)
        listener.connect()
        settling.start()
        try:
            listener.run(stopping)
        finally:
            stopping.set()
            settling.join()


@dataclass
class _Arrived:
    """Messages that wait to be taken in."""

    rows: list[RawRow] = field(default_factory=list)
    last_tag: int = 0
    since: float = 0.0

    def is_due(self) -> bool:
        waited = time.monotonic() - self.since
        return bool(self.rows) and (len(self.rows) >= BATCH or waited >= BATCH_SECONDS)


class Listener:
    """One queue's consumer; connects again whenever connection, channel or consumer is lost."""

    def __init__(self, party: Party, samples: Samples, url: str) -> None:
        self._settings = broker_settings(url)
        self._parameters = connection_parameters(self._settings, f"samples of {party.name}")
        self._party = party
        self._samples = samples
        self._arrivals = Arrivals(samples)
        self._arrived = _Arrived()
        self._connection: BlockingConnection | None = None
        self._channel: BlockingChannel | None = None
        self._refused: Counter[str] = Counter()
        self._noted = time.monotonic()
        samples.release()

    def connect(self) -> None:
        """Raises BrokerError."""
        queue = sample_queue(self._party.name, self._samples.name)
        dead = f"{queue}.dead"
        try:
            self._connection = BlockingConnection(self._parameters)
            channel = self._connection.channel()
            for exchange in (EXCHANGE, DEAD_EXCHANGE):
                channel.exchange_declare(exchange, "topic", durable=True)
            channel.queue_declare(dead, durable=True, arguments={"x-queue-type": "quorum"})
            channel.queue_bind(dead, DEAD_EXCHANGE, dead)
            arguments = {
                "x-queue-type": "quorum",
                "x-delivery-limit": DELIVERY_LIMIT,
                "x-single-active-consumer": True,
                "x-dead-letter-exchange": DEAD_EXCHANGE,
                "x-dead-letter-routing-key": dead,
                "x-dead-letter-strategy": "at-least-once",
                "x-overflow": "reject-publish",
            }
            channel.queue_declare(queue, durable=True, arguments=arguments)
            channel.queue_bind(queue, EXCHANGE, routing_key(self._party.name, self._samples.name))
            channel.basic_qos(prefetch_count=2 * BATCH)
            channel.basic_consume(queue, self._take)
        except AMQPChannelError as error:
            raise explain_channel(error, self._settings) from None
        except (AMQPError, OSError) as error:
            raise explain_connection(error, self._settings) from None
        self._channel, self._arrived = channel, _Arrived()
        log.info("samples_awaited", party=self._party.name, queue=queue)

    def run(self, stopping: threading.Event) -> None:
        pause = FIRST_PAUSE
        while not stopping.is_set():
            began = time.monotonic()
            try:
                if self._channel is None:
                    self.connect()
                while not stopping.is_set() and self._connection and self._channel:
                    self._connection.process_data_events(time_limit=BATCH_SECONDS / 2)
                    check_consuming(self._channel)
                    self._work(self._channel)
            except (AMQPError, OSError, BrokerError) as error:
                log.warning("sample_queue_lost", error=type(error).__name__)
                leave(self._connection)
                self._channel, self._arrived = None, _Arrived()  # all of it comes again
                if time.monotonic() - began > LONGEST_PAUSE:
                    pause = FIRST_PAUSE
                stopping.wait(pause)
                pause = min(LONGEST_PAUSE, 2 * pause)
        self._finish()

    def _work(self, channel: BlockingChannel) -> None:
        for reason, count in self._refused.items():
            log.warning("samples_refused", reason=reason, count=count)
        self._refused.clear()
        if self._arrived.is_due():
            self._commit(channel)
        if time.monotonic() - self._noted >= NOTE_SECONDS:
            self._note()

    def _take(
        self,
        channel: BlockingChannel,
        method: pika.spec.Basic.Deliver,
        properties: pika.BasicProperties,
        body: bytes,
    ) -> None:
        if properties.type not in (None, MESSAGE_TYPE):
            self._refuse(channel, method.delivery_tag, "a message of another type")
            return
        try:
            row = self._arrivals.parse(body)
        except RawSampleError as error:
            self._refuse(channel, method.delivery_tag, str(error))
            return
        if not self._arrived.rows:
            self._arrived.since = time.monotonic()
        self._arrived.rows.append(row)
        self._arrived.last_tag = method.delivery_tag

    def _refuse(self, channel: BlockingChannel, tag: int, reason: str) -> None:
        self._refused[reason] += 1
        channel.basic_reject(tag, requeue=False)

    def _commit(self, channel: BlockingChannel) -> None:
        arrived, self._arrived = self._arrived, _Arrived()
        taken = self._arrivals.take(arrived.rows)
        channel.basic_ack(arrived.last_tag, multiple=True)
        seconds = round(time.monotonic() - arrived.since, 3)
        log.info("samples_taken", samples=taken, messages=len(arrived.rows), seconds=seconds)

    def _note(self) -> None:
        """The log hears of a stream once a minute, not of every batch."""
        self._noted = time.monotonic()
        digest, self._arrivals.digest = self._arrivals.digest, FeatureDigest()
        note_stream(self._party, self._samples.name, digest)

    def _finish(self) -> None:
        """What was not acknowledged comes again."""
        try:
            if self._arrived.rows and self._channel is not None:
                self._commit(self._channel)
        except AMQPError as error:
            log.warning("sample_queue_lost", error=type(error).__name__)
        leave(self._connection)
        self._note()


def _settle(party: Party, kind: str, stopping: threading.Event) -> None:
    """On a thread and with connections of its own: a busy batch engine holds up no sample."""
    while True:
        is_last = stopping.wait(SETTLE_SECONDS)
        try:
            with (
                refreshing_alone(party, patience=0),
                open_samples(party.settings, party.folder.path, kind) as samples,
            ):
                settled = settle(samples)
            if settled:
                log.info("samples_settled", samples=settled)
        except BusyError:
            pass  # a refresh is at it, and does the same
        except ScoringError as error:
            log.warning("samples_not_settled", error=str(error))
        if is_last:
            return
