"""Sending with publisher confirms, on the I/O loop's thread."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from traceback import format_exc

import pika
import structlog
from pika.adapters.select_connection import IOLoop
from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker
from pika.frame import Method
from pika.spec import Basic

from bus.diagnosis import explain_channel, is_missing
from bus.endpoint import Settled
from bus.errors import BrokerError
from bus.link import Link
from bus.parcel import Outcome
from bus.settings import BrokerSettings
from bus.topology import declare

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Sending:
    """One message on its way, and whom to tell how it ended."""

    exchange: str
    routing_key: str
    properties: pika.BasicProperties
    body: bytes
    settled: Settled


class Publisher:
    """Publishes, and matches each confirm with its message.

    A message that the broker finds unacceptable closes the channel, without a word on which
    one it was. Then all that were under way are published again one by one, until the culprit
    is alone and refused: `_suspects` counts those still to go.
    """

    def __init__(
        self,
        loop: IOLoop,
        settings: BrokerSettings,
        party: str,
        ready: Callable[[], None],
        down: Callable[[BrokerError], None],
    ) -> None:
        self.blocked: str | None = None
        self.link = Link(loop, settings, party, "sends", self._on_up, self._on_down)
        self._settings = settings
        self._party = party
        self._ready = ready
        self._report = down
        self._channel: Channel | None = None
        self._waiting: deque[Sending] = deque()
        self._outstanding: dict[int, Sending] = {}
        self._returned: set[str | None] = set()
        self._last_tag = 0
        self._suspects = 0
        self._abandoned = False

    @property
    def connected(self) -> bool:
        return self._channel is not None

    @property
    def busy(self) -> bool:
        """Whether something is not settled yet."""
        return bool(self._waiting or self._outstanding)

    def publish(self, sending: Sending) -> None:
        """Publish now, or as soon as there is a connection."""
        self._waiting.append(sending)
        if self._abandoned:
            self.abandon()
        else:
            self._flush()

    def abandon(self) -> None:
        """Settle as lost whatever is left; nothing is published from now on."""
        self._abandoned = True
        self._lose_outstanding()
        while self._waiting:
            self._settle(self._waiting.popleft(), Outcome.LOST)

    def _flush(self) -> None:
        while self._waiting and self._channel is not None and self.blocked is None:
            if self._suspects and self._outstanding:
                return
            sending = self._waiting.popleft()
            self._last_tag += 1
            self._outstanding[self._last_tag] = sending
            self._channel.basic_publish(
                sending.exchange,
                sending.routing_key,
                sending.body,
                sending.properties,
                mandatory=True,
            )

    def _on_up(self, connection: pika.SelectConnection) -> None:
        connection.add_on_connection_blocked_callback(self._on_blocked)
        connection.add_on_connection_unblocked_callback(self._on_unblocked)
        declare(
            connection,
            self._party,
            self._settings.delivery_limit,
            declared=lambda: self._open_channel(connection),
            failed=lambda reason: self.link.fail(explain_channel(reason, self._settings)),
        )

    def _open_channel(self, connection: pika.SelectConnection) -> None:
        connection.channel(on_open_callback=self._on_channel)

    def _on_channel(self, channel: Channel) -> None:
        def selected(_answer: Method[pika.spec.Confirm.SelectOk]) -> None:
            self._channel = channel
            self._last_tag = 0
            self.link.works()
            self._ready()
            self._flush()

        channel.add_on_close_callback(self._on_channel_closed)
        channel.add_on_return_callback(self._on_returned)
        channel.confirm_delivery(self._on_confirm, selected)

    def _on_returned(
        self, _channel: Channel, _method: object, properties: pika.BasicProperties, _body: bytes
    ) -> None:
        self._returned.add(properties.message_id)

    def _on_confirm(self, frame: Method[Basic.Ack | Basic.Nack]) -> None:
        method = frame.method
        tag = method.delivery_tag
        tags = [t for t in self._outstanding if t <= tag] if method.multiple else [tag]
        for each in tags:
            sending = self._outstanding.pop(each)
            returned = sending.properties.message_id in self._returned
            self._returned.discard(sending.properties.message_id)
            self._suspects = max(0, self._suspects - 1)
            if isinstance(method, Basic.Nack):
                self._settle(sending, Outcome.FULL)
            else:
                self._settle(sending, Outcome.UNROUTABLE if returned else Outcome.CONFIRMED)
        self._flush()

    def _on_channel_closed(self, channel: Channel, reason: BaseException) -> None:
        self._channel = None
        if not channel.connection.is_open:
            return
        error = explain_channel(reason, self._settings)
        self._report(error)
        if is_missing(reason) or not isinstance(reason, ChannelClosedByBroker):
            self.link.fail(error)
            return
        under_way = list(self._outstanding.values())
        self._outstanding.clear()
        if len(under_way) == 1:
            self._suspects = max(0, self._suspects - 1)
            self._settle(under_way[0], Outcome.REFUSED)
        else:
            self._suspects = len(under_way)
            self._waiting.extendleft(reversed(under_way))
        self._open_channel(channel.connection)

    def _on_blocked(self, _connection: object, frame: Method[pika.spec.Connection.Blocked]) -> None:
        self.blocked = frame.method.reason or "no reason given"
        _log.warning("broker_blocked", party=self._party, reason=self.blocked)

    def _on_unblocked(self, _connection: object, _frame: object) -> None:
        self.blocked = None
        _log.info("broker_unblocked", party=self._party)
        self._flush()

    def _on_down(self, error: BrokerError) -> None:
        self._channel = None
        self.blocked = None
        self._lose_outstanding()
        self._report(error)

    def _lose_outstanding(self) -> None:
        lost = list(self._outstanding.values())
        self._outstanding.clear()
        self._returned.clear()
        self._suspects = 0
        for sending in lost:
            self._settle(sending, Outcome.LOST)

    def _settle(self, sending: Sending, outcome: Outcome) -> None:
        try:
            sending.settled(outcome)
        except Exception:  # noqa: BLE001 -- a caller's mistake must not stop the I/O loop
            _log.error("settled_callback_failed", party=self._party, traceback=format_exc())
