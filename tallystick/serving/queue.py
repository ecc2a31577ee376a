"""Requests from a queue of a broker of the party's own, for business systems that use one.

A message is the document that POST /v1/scores takes; the reply goes to its `reply_to` with its
`correlation_id`, and is what HTTP would answer, with a `status`. One thread does all talking to
the broker: pika is not thread-safe. RabbitMQ takes back what nobody acknowledged for half an hour,
so a request here has less: LONGEST_SECONDS.
"""

import functools
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pika
import structlog
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.exceptions import AMQPError, ConnectionWrongStateError
from pydantic import ValidationError

from bus.blocking import check_consuming, leave
from bus.link import connection_parameters
from bus.settings import broker_settings
from party.errors import RequestError
from party.predicting import PATIENCE_SECONDS, Answer
from store.errors import StoreError
from tallystick.errors import ServingError
from tallystick.serving.documents import Refusal, ScoreRequest, reply_to
from tallystick.serving.service import ScoreService

QUEUE = "tallystick.scores"
PREFETCH = 64
LONGEST_SECONDS = 1500  # five minutes before RabbitMQ's own consumer timeout
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 10.0
AGAIN_SECONDS = 1.0  # before what cannot be asked now comes again

log = structlog.get_logger()


@contextmanager
def serving_queue(service: ScoreService, url: str) -> Iterator[None]:
    """Answer the queue between entering and leaving. Raises ServingError, BrokerSettingsError."""
    consumer = QueueConsumer(service, url)
    consumer.start()
    try:
        yield
    finally:
        consumer.stop()


class QueueConsumer:
    """Takes requests until `stop`; connects again whenever connection, channel or consumer is lost.

    A request is acknowledged when its reply is sent, so one that a crash interrupted comes again.
    """

    def __init__(self, service: ScoreService, url: str) -> None:
        self._service = service
        self._parameters = connection_parameters(broker_settings(url), "score requests")
        self._stopping = threading.Event()
        self._connection: BlockingConnection | None = None
        self._channel: BlockingChannel | None = None
        self._thread = threading.Thread(target=self._run, name="score requests", daemon=True)

    def start(self) -> None:
        """Connect once, so that a mistake is told at the start."""
        try:
            self._connect()
        except (AMQPError, OSError) as error:
            kind = type(error).__name__
            raise ServingError(f"the broker of the requests cannot be used: {kind}") from None
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(LONGEST_PAUSE)

    def _connect(self) -> None:
        self._connection = BlockingConnection(self._parameters)
        channel = self._connection.channel()
        channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        channel.basic_qos(prefetch_count=PREFETCH)
        channel.basic_consume(QUEUE, self._take)
        self._channel = channel

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                if self._channel is None:
                    self._connect()
                self._work()
            except (AMQPError, OSError) as error:
                log.warning("request_queue_lost", error=type(error).__name__)
                leave(self._connection)
                self._channel = None
                if time.monotonic() - began > LONGEST_PAUSE:
                    pause = FIRST_PAUSE  # else, as with replies refused, ever more slowly
                self._stopping.wait(pause)
                pause = min(LONGEST_PAUSE, 2 * pause)
        leave(self._connection)

    def _work(self) -> None:
        while not self._stopping.is_set() and self._connection and self._channel:
            self._connection.process_data_events(time_limit=0.2)
            check_consuming(self._channel)

    def _take(
        self,
        channel: BlockingChannel,
        method: pika.spec.Basic.Deliver,
        properties: pika.BasicProperties,
        body: bytes,
    ) -> None:
        try:
            asked = ScoreRequest.model_validate_json(body)
        except ValidationError:
            refused = _refused("not a request for scores")
            self._reply(channel, method, properties, refused)
            return
        wish = asked.wish()
        seconds = wish.seconds or min(LONGEST_SECONDS, PATIENCE_SECONDS[wish.way])
        if seconds > LONGEST_SECONDS:
            refused = _refused(
                f"within: a request in the queue has at most {LONGEST_SECONDS} seconds; for longer "
                "ask by HTTP or `tally score`"
            )
            self._reply(channel, method, properties, refused)
            return
        self._service.ask(replace(wish, seconds=seconds)).add_done_callback(
            functools.partial(self._answered, channel, method, properties, asked.threshold)
        )

    def _answered(
        self,
        channel: BlockingChannel,
        method: pika.spec.Basic.Deliver,
        properties: pika.BasicProperties,
        threshold: float | None,
        future: "Future[Answer]",
    ) -> None:
        """On the service's thread: the reply is left to the one of the connection."""
        if future.cancelled() or self._connection is None:
            return
        try:
            status, document = reply_to(future.result(), threshold)
            told = {"status": status, **document}
        except RequestError as error:
            told = _refused(str(error))
        except StoreError:
            told = None
        except ServingError as error:
            told = _refused(str(error), 500, "internal")
        send = functools.partial(self._reply, channel, method, properties, told)
        with suppress(ConnectionWrongStateError):  # lost: the request comes again on the next one
            self._connection.add_callback_threadsafe(send)

    def _reply(
        self,
        channel: BlockingChannel,
        method: pika.spec.Basic.Deliver,
        properties: pika.BasicProperties,
        document: dict[str, Any] | None,
    ) -> None:
        """None: nothing can be said now, and the request comes again."""
        if not channel.is_open:
            return  # the request comes again on the next connection
        if document is None:
            if self._connection is not None:
                again = functools.partial(channel.basic_nack, method.delivery_tag, requeue=True)
                self._connection.call_later(AGAIN_SECONDS, again)
            return
        if properties.reply_to:
            channel.basic_publish(
                "",
                properties.reply_to,
                json.dumps(document, ensure_ascii=False).encode(),
                pika.BasicProperties(
                    correlation_id=properties.correlation_id, content_type="application/json"
                ),
            )
        channel.basic_ack(method.delivery_tag)


def _refused(detail: str, status: int = 409, error: str = "refused") -> dict[str, Any]:
    refusal = Refusal(error=error, detail=detail)
    return {"status": status, **refusal.model_dump(exclude_none=True)}
