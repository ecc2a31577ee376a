"""Receiving with manual acknowledgement, on the I/O loop's thread."""

from collections.abc import Callable
from dataclasses import dataclass

import pika
import structlog
from pika.adapters.select_connection import IOLoop
from pika.channel import Channel
from pika.spec import Basic

from bus.diagnosis import explain_channel
from bus.endpoint import Delivery
from bus.errors import BrokerError, BrokerUnreachableError, ParcelError
from bus.inbox import Inbox
from bus.link import Link
from bus.message import attempts_of, dead_properties, parcel_from
from bus.parcel import Outcome
from bus.publisher import Sending
from bus.ration import Ration
from bus.settings import BrokerSettings
from bus.topology import DEAD_EXCHANGE, declare, queue_name

_log = structlog.get_logger(__name__)
_DEAD_A_MINUTE, _LINES_A_MINUTE, _MINUTE = 1000, 60, 60.0


class Consumer:
    """Brings the queue's messages to the inbox, and settles them as told.

    On a connection of its own: while an alarm blocks publishers, the broker reads nothing
    more from their connections, acknowledgements included.
    """

    def __init__(
        self,
        loop: IOLoop,
        run: Callable[[Callable[[], None]], object],
        settings: BrokerSettings,
        party: str,
        inbox: Inbox,
        bury: Callable[[Sending], None],
        ready: Callable[[], None],
        down: Callable[[BrokerError], None],
    ) -> None:
        self.link = Link(loop, settings, party, "receives", self._on_up, self._on_down)
        self.run = run
        self._settings = settings
        self._party = party
        self._inbox = inbox
        self._bury = bury
        self._ready = ready
        self._report = down
        self._channel: Channel | None = None
        self._burials = Ration(_DEAD_A_MINUTE, _MINUTE)
        self._lines = Ration(_LINES_A_MINUTE, _MINUTE)
        self._unburied = 0

    @property
    def connected(self) -> bool:
        return self._channel is not None

    def acknowledge(self, channel: Channel, tag: int) -> None:
        if channel.is_open:
            channel.basic_ack(tag)

    def requeue(self, channel: Channel, tag: int) -> None:
        if channel.is_open:
            channel.basic_nack(tag, requeue=True)

    def reject(self, channel: Channel, message: "_Message", reason: str) -> None:
        """AMQP's reject has no reason: publish to the dead letters first, then acknowledge.

        A flood must not fill them, nor cost as much again: of more than a thousand a minute
        only the number is kept.
        """
        if self._lines.take():
            _log.warning("delivery_rejected", party=self._party, reason=reason)
        if not self._burials.take():
            self._unburied += 1
            self.acknowledge(channel, message.tag)
            return
        if self._unburied:
            _log.warning("rejected_and_not_kept", party=self._party, messages=self._unburied)
            self._unburied = 0

        def buried(outcome: Outcome) -> None:
            if outcome is Outcome.CONFIRMED:
                self.acknowledge(channel, message.tag)
            else:
                self.requeue(channel, message.tag)

        properties = dead_properties(message.properties, message.route, reason, self._settings.user)
        self._bury(Sending(DEAD_EXCHANGE, self._party, properties, message.body, buried))

    def _on_up(self, connection: pika.SelectConnection) -> None:
        declare(
            connection,
            self._party,
            self._settings.delivery_limit,
            declared=lambda: connection.channel(on_open_callback=self._on_channel),
            failed=lambda reason: self.link.fail(explain_channel(reason, self._settings)),
        )

    def _on_channel(self, channel: Channel) -> None:
        def consuming(_answer: object) -> None:
            self._channel = channel
            self.link.works()
            self._ready()

        channel.add_on_close_callback(self._on_channel_closed)
        channel.add_on_cancel_callback(self._on_cancelled)
        channel.basic_qos(prefetch_count=self._settings.prefetch)
        channel.basic_consume(queue_name(self._party), self._on_message, callback=consuming)

    def _on_message(
        self, channel: Channel, method: Basic.Deliver, properties: pika.BasicProperties, body: bytes
    ) -> None:
        message = _Message(method.delivery_tag, method.routing_key, properties, body)
        try:
            parcel = parcel_from(message.route, properties, body)
        except ParcelError as error:
            self.reject(channel, message, str(error))
            return
        attempts = attempts_of(properties, redelivered=method.redelivered)
        settlement = _Settlement(self, channel, message)
        self._inbox.put(Delivery(parcel, method.redelivered, attempts, settlement))

    def _on_cancelled(self, _frame: object) -> None:
        self.link.fail(BrokerUnreachableError(f"queue {queue_name(self._party)} was deleted"))

    def _on_channel_closed(self, channel: Channel, reason: BaseException) -> None:
        self._channel = None
        if channel.connection.is_open:
            self.link.fail(explain_channel(reason, self._settings))

    def _on_down(self, error: BrokerError) -> None:
        self._channel = None
        self._inbox.clear()
        self._report(error)


@dataclass(frozen=True)
class _Message:
    tag: int
    route: str
    properties: pika.BasicProperties
    body: bytes


@dataclass(frozen=True)
class _Settlement:
    """Carries a verdict from any thread to the I/O loop's."""

    consumer: Consumer
    channel: Channel
    message: _Message

    def acknowledge(self) -> None:
        self.consumer.run(lambda: self.consumer.acknowledge(self.channel, self.message.tag))

    def requeue(self) -> None:
        self.consumer.run(lambda: self.consumer.requeue(self.channel, self.message.tag))

    def reject(self, reason: str) -> None:
        self.consumer.run(lambda: self.consumer.reject(self.channel, self.message, reason))
