"""The bus over RabbitMQ: one I/O thread an endpoint, everything else hands work to it."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from threading import Lock, Thread
from time import monotonic
from traceback import format_exc

import structlog
from pika.adapters.select_connection import IOLoop

from bus.consumer import Consumer
from bus.diagnosis import NEEDS_A_PERSON
from bus.endpoint import Delivery, Endpoint, Settled
from bus.errors import BrokerError, BrokerUnreachableError
from bus.inbox import Inbox
from bus.message import properties_of, routing_key
from bus.parcel import Outcome, Parcel, check_party_name
from bus.publisher import Publisher, Sending
from bus.settings import BrokerSettings, broker_settings
from bus.topology import EXCHANGE
from bus.window import Window

_CONFIRM_POLL = 0.01
_GOODBYE = 2.0  # for the broker's answer to our leaving

_log = structlog.get_logger(__name__)


def open_endpoint(broker: str | BrokerSettings, party: str) -> Endpoint:
    """Connect the party to the broker at a URL or by settings, and wait until it receives.

    Raises BrokerUnreachableError after the start-up timeout, and at once the errors that
    waiting does not heal: login, virtual host, TLS, permissions, queues of another make.
    """
    check_party_name(party)
    settings = broker_settings(broker) if isinstance(broker, str) else broker
    endpoint = RabbitEndpoint(settings, party)
    try:
        endpoint.wait_until_connected(settings.startup_timeout)
    except BaseException:
        endpoint.close()
        raise
    return endpoint


class RabbitEndpoint:
    """One party at a RabbitMQ; see `bus.endpoint.Endpoint`. Use `open_endpoint`."""

    def __init__(self, settings: BrokerSettings, party: str) -> None:
        self.name = party
        self.last_error: BrokerError | None = None
        self.connections = 0
        self._settings = settings
        self._window = Window(settings.window, settings.window_bytes)
        self._inbox = Inbox()
        self._loop = IOLoop()
        self._publisher = Publisher(self._loop, settings, party, self._on_ready, self._on_down)
        self._consumer = Consumer(
            self._loop,
            self._post,
            settings,
            party,
            self._inbox,
            self._publisher.publish,
            self._on_ready,
            self._on_down,
        )
        self._connected_once: Future[None] = Future()
        self._posted: deque[Callable[[], None]] = deque()
        self._lock = Lock()
        self._leaving = False
        self._stopped = False
        self._thread = Thread(target=self._run, name=f"bus of {party}", daemon=True)
        self._thread.start()

    @property
    def connected(self) -> bool:
        return self._publisher.connected and self._consumer.connected

    @property
    def blocked(self) -> str | None:
        return self._publisher.blocked

    def wait_until_connected(self, timeout: float) -> None:
        """Wait for the first connection. Raises BrokerError; see `open_endpoint`."""
        try:
            self._connected_once.result(timeout)
        except FutureTimeoutError:
            detail = f" ({self.last_error})" if self.last_error else ""
            raise BrokerUnreachableError(
                f"no RabbitMQ answered within {timeout:g} s at {self._settings.address}{detail}. "
                "Check the address, or start a broker: see docker/rabbitmq/README.md"
            ) from self.last_error

    def send(self, parcel: Parcel, settled: Settled) -> None:
        if parcel.sender != self.name:
            settled(Outcome.REFUSED)
            return
        size = len(parcel.body)

        def leave(outcome: Outcome) -> None:
            self._window.leave(size)
            settled(outcome)

        properties = properties_of(parcel, self._settings.user)
        sending = Sending(EXCHANGE, routing_key(parcel), properties, parcel.body, leave)
        self._window.enter(size)
        if not self._post(lambda: self._publisher.publish(sending)):
            leave(Outcome.LOST)

    def receive(self, timeout: float) -> Delivery | None:
        return self._inbox.take(timeout)

    def when_delivered(self, tell: Callable[[], None]) -> None:
        self._inbox.when_filled(tell)

    def close(self) -> None:
        self._window.close()
        self._inbox.close()
        deadline = monotonic() + self._settings.closing_timeout
        self._post(lambda: self._leave(deadline))
        self._thread.join()

    def _post(self, callback: Callable[[], None]) -> bool:
        """Run something on the I/O thread, in the order posted; False once that has ended.

        The thread is woken once for all that is posted until it looks.
        """
        with self._lock:
            if self._stopped:
                return False
            self._posted.append(callback)
            if len(self._posted) == 1:
                self._loop.add_callback_threadsafe(self._run_posted)
            return True

    def _run_posted(self) -> None:
        with self._lock:
            posted, self._posted = self._posted, deque()
        try:
            while posted:
                posted.popleft()()
        finally:
            if posted:  # one failed: the others have their turn before what came since
                with self._lock:
                    self._posted.extendleft(reversed(posted))
                    self._loop.add_callback_threadsafe(self._run_posted)

    def _run(self) -> None:
        self._publisher.link.connect()
        self._consumer.link.connect()
        while not self._stopped:
            try:
                self._loop.start()
            except Exception:  # noqa: BLE001 -- a defect must not silence the party: start afresh
                if self._leaving:
                    continue  # pika 1.4 trips over a connection closed while it opens
                # As text: a formatter that shows variables would show parcels.
                _log.error("bus_failed", party=self.name, traceback=format_exc())
                error = BrokerUnreachableError("the bus had to start afresh: see the log")
                self._publisher.link.fail(error)
                self._consumer.link.fail(error)
        self._loop.close()

    def _on_ready(self) -> None:
        if self.connected:
            self.connections += 1
            _log.info("broker_connected", party=self.name, broker=self._settings.address)
            if not self._connected_once.done():
                self._connected_once.set_result(None)

    def _on_down(self, error: BrokerError) -> None:
        self.last_error = error
        if isinstance(error, NEEDS_A_PERSON) and not self._connected_once.done():
            self._connected_once.set_exception(error)

    def _leave(self, deadline: float) -> None:
        """Wait for confirms, close both connections, stop; a silent broker is not waited for."""
        if self._leaving:
            return
        if self._publisher.busy and self._publisher.connected and monotonic() < deadline:
            self._loop.call_later(_CONFIRM_POLL, lambda: self._leave(deadline))
            return
        self._leaving = True
        self._publisher.abandon()
        self._publisher.link.close(lambda: self._consumer.link.close(self._stop))
        self._loop.call_later(_GOODBYE, self._stop)

    def _stop(self) -> None:
        """Stop behind whatever was posted before, so that every parcel is settled."""
        with self._lock:
            if not self._stopped:
                self._stopped = True
                self._loop.add_callback_threadsafe(self._loop.stop)
