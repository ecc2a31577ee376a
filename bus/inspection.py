"""A look at the broker from outside: does it let this party in, and what waits in its queues.

Nothing is declared, read or bound, so a look beside the running party disturbs nothing.
"""

from dataclasses import dataclass
from time import monotonic

import pika
from cryptography import x509
from pika.adapters.select_connection import IOLoop
from pika.channel import Channel
from pika.frame import Method

from bus.certificates import CertificateFacts, facts_of
from bus.diagnosis import explain_channel, explain_connection, is_missing
from bus.errors import BrokerError, BrokerUnreachableError
from bus.link import connection_parameters
from bus.settings import BrokerSettings
from bus.topology import dead_queue_name, queue_name
from bus.tunnel import connected_socket, io_services

LOOK_SECONDS = 10.0


@dataclass(frozen=True)
class QueueFacts:
    """Messages that are ready, and readers. RabbitMQ may say 0 for a moment after a restart."""

    messages: int
    readers: int


@dataclass(frozen=True)
class BrokerFacts:
    """What a look showed; a queue that does not exist is None. Without TLS no certificate."""

    login_seconds: float
    certificate: CertificateFacts | None
    queue: QueueFacts | None
    dead_letters: QueueFacts | None


def inspect_broker(settings: BrokerSettings, party: str) -> BrokerFacts:
    """Log in as the party would, and look. Raises BrokerError."""
    parameters = connection_parameters(settings, f"{party} looks", settings.user or party)
    begun = monotonic()
    look = _Look(settings, parameters, [queue_name(party), dead_queue_name(party)])
    depths = look.run()
    seconds = look.opened_at - begun
    certificate = _server_certificate(settings, parameters) if settings.tls else None
    return BrokerFacts(
        seconds, certificate, depths[queue_name(party)], depths[dead_queue_name(party)]
    )


class _Look:
    """One connection, one channel a queue, on an I/O loop of its own that ends with it."""

    def __init__(
        self, settings: BrokerSettings, parameters: pika.ConnectionParameters, queues: list[str]
    ) -> None:
        self.opened_at = 0.0
        self._settings = settings
        self._parameters = parameters
        self._queues = queues
        self._found: dict[str, QueueFacts | None] = {}
        self._error: BrokerError | None = None
        self._loop = IOLoop()

    def run(self) -> dict[str, QueueFacts | None]:
        connection = pika.SelectConnection(
            self._parameters,
            on_open_callback=self._on_open,
            on_open_error_callback=self._on_end,
            on_close_callback=self._on_end,
            custom_ioloop=io_services(self._loop, self._settings),
        )
        self._loop.call_later(LOOK_SECONDS, lambda: self._give_up(connection))
        try:
            self._loop.start()
        finally:
            self._loop.close()
        if self._error is not None:
            raise self._error
        return self._found

    def _on_open(self, connection: pika.SelectConnection) -> None:
        self.opened_at = monotonic()
        self._look_at_next(connection)

    def _look_at_next(self, connection: pika.SelectConnection) -> None:
        waiting = [queue for queue in self._queues if queue not in self._found]
        if not waiting:
            connection.close()
            return
        connection.channel(on_open_callback=lambda channel: self._look_at(channel, waiting[0]))

    def _look_at(self, channel: Channel, queue: str) -> None:
        def closed(_channel: Channel, reason: BaseException) -> None:
            if not channel.connection.is_open:
                return
            if queue not in self._found:
                self._found[queue] = None
                if not is_missing(reason):
                    self._error = explain_channel(reason, self._settings)
            self._look_at_next(channel.connection)

        def found(answer: Method[pika.spec.Queue.DeclareOk]) -> None:
            method = answer.method
            self._found[queue] = QueueFacts(method.message_count, method.consumer_count)
            channel.close()

        channel.add_on_close_callback(closed)
        channel.queue_declare(queue, passive=True, callback=found)

    def _on_end(self, _connection: object, reason: BaseException) -> None:
        if len(self._found) < len(self._queues) and self._error is None:
            self._error = explain_connection(reason, self._settings)
        self._loop.stop()

    def _give_up(self, connection: pika.SelectConnection) -> None:
        if self._error is None:
            self._error = BrokerUnreachableError(
                f"{self._settings.address} did not answer within {LOOK_SECONDS:g} s"
            )
        if connection.is_open:
            connection.close()
        self._loop.stop()


def _server_certificate(
    settings: BrokerSettings, parameters: pika.ConnectionParameters
) -> CertificateFacts | None:
    """What the broker shows, after the same checks as any connection makes."""
    options = parameters.ssl_options
    try:
        with (
            connected_socket(settings, LOOK_SECONDS) as plain,
            options.context.wrap_socket(plain, server_hostname=options.server_hostname) as secured,
        ):
            shown = secured.getpeercert(binary_form=True)
    except OSError as error:  # ssl's among them
        raise explain_connection(error, settings) from None
    return facts_of(x509.load_der_x509_certificate(shown)) if shown else None
