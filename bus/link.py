"""One AMQP connection that is made again whenever it breaks.

Every method here, and every callback, runs on the I/O loop's thread: pika is not thread-safe.
"""

import logging
import ssl
from collections.abc import Callable
from random import SystemRandom

import pika
import structlog
from pika.adapters.select_connection import IOLoop

from bus.certificates import check_client_certificate
from bus.diagnosis import explain_connection
from bus.errors import BrokerError, BrokerTlsError
from bus.settings import BrokerSettings, TlsSettings
from bus.tunnel import io_services

_log = structlog.get_logger(__name__)
_random = SystemRandom()
_FIRST_PAUSE = 0.25

# Whatever pika would log reaches us as an exception, and is reported once.
logging.getLogger("pika").setLevel(logging.CRITICAL)


class Link:
    """Connects, reports up and down, and after a jittered pause connects again, for ever."""

    def __init__(
        self,
        loop: IOLoop,
        settings: BrokerSettings,
        party: str,
        purpose: str,
        up: Callable[[pika.SelectConnection], None],
        down: Callable[[BrokerError], None],
    ) -> None:
        self._loop = loop
        self._settings = settings
        self._name = f"{party} {purpose}"
        self._login = settings.user or party
        self._up = up
        self._down = down
        self._connection: pika.SelectConnection | None = None
        self._failure: BrokerError | None = None
        self._attempts = 0
        self._reported = ""
        self._closed: Callable[[], None] | None = None

    def connect(self) -> None:
        """Begin; `up` is called with the open connection."""
        if self._closed is not None:
            return
        try:
            parameters = connection_parameters(self._settings, self._name, self._login)
        except BrokerTlsError as error:
            self._pause(error)
            return
        self._connection = pika.SelectConnection(
            parameters,
            on_open_callback=self._up,
            on_open_error_callback=self._on_lost,
            on_close_callback=self._on_lost,
            custom_ioloop=io_services(self._loop, self._settings),
        )

    def works(self) -> None:
        """The connection has proved useful: the next failure starts with a short pause again."""
        self._attempts = 0
        self._reported = ""

    def fail(self, error: BrokerError) -> None:
        """Give this connection up for the reason given; another one follows."""
        if self._connection is not None and self._connection.is_open:
            self._failure = error
            self._connection.close()

    def close(self, closed: Callable[[], None]) -> None:
        """Leave for good."""
        self._closed = closed
        if self._connection is None or self._connection.is_closed:
            closed()
        elif not self._connection.is_closing:
            self._connection.close()

    def _on_lost(self, _connection: object, reason: BaseException) -> None:
        self._connection = None
        if self._closed is not None:
            self._closed()
            return
        error = self._failure or explain_connection(reason, self._settings)
        self._failure = None
        self._pause(error)

    def _pause(self, error: BrokerError) -> None:
        longest = min(self._settings.longest_pause, _FIRST_PAUSE * 2**self._attempts)
        pause = _random.uniform(longest / 2, longest)
        self._attempts = min(self._attempts + 1, 16)
        if str(error) != self._reported:  # once, not at every attempt
            self._reported = str(error)
            _log.warning("broker_connection_lost", link=self._name, error=str(error))
        self._down(error)
        self._loop.call_later(pause, self.connect)


def connection_parameters(
    settings: BrokerSettings, name: str, login: str | None = None
) -> pika.ConnectionParameters:
    """Pika's form of the settings; `name` is how the broker shows the connection.

    Raises BrokerTlsError when a certificate cannot be read, is over, or where it is the login,
    of somebody else than `login`.
    """
    credentials: pika.PlainCredentials | pika.credentials.ExternalCredentials
    if settings.password is None:
        credentials = pika.credentials.ExternalCredentials()
    else:
        credentials = pika.PlainCredentials(
            settings.user or "", settings.password.get_secret_value(), erase_on_connect=True
        )
    return pika.ConnectionParameters(
        host=settings.host,
        port=settings.port,
        virtual_host=settings.virtual_host,
        credentials=credentials,
        ssl_options=_ssl_options(settings, login) if settings.tls else None,
        heartbeat=settings.heartbeat,
        connection_attempts=1,
        client_properties={"connection_name": name},
    )


def _ssl_options(settings: BrokerSettings, login: str | None) -> pika.SSLOptions:
    tls = settings.tls or TlsSettings()
    if tls.certfile is not None:
        check_client_certificate(tls.certfile, login if settings.password is None else None)
    try:
        context = ssl.create_default_context(cafile=tls.cacertfile)
        if tls.certfile is not None:
            # An encrypted key would make OpenSSL ask on the terminal; an empty password fails.
            context.load_cert_chain(tls.certfile, tls.keyfile, password="")
    except (OSError, ssl.SSLError) as error:
        files = [str(file) for file in (tls.cacertfile, tls.certfile, tls.keyfile) if file]
        raise BrokerTlsError(f"cannot use {', '.join(files)}: {error}") from error
    return pika.SSLOptions(context, tls.server_name_indication or settings.host)
