"""The way to the broker through a company's HTTP proxy: CONNECT first, then TLS with the broker.

The proxy sees the broker's host and port, and bytes that it cannot read (RFC 9110, 9.3.6).
"""

import socket
from base64 import b64encode
from collections.abc import Callable

from pika.adapters.select_connection import IOLoop
from pika.adapters.utils.nbio_interface import AbstractIOReference
from pika.adapters.utils.selector_ioloop_adapter import SelectorIOServicesAdapter

from bus.errors import ProxyError, ProxyRefusedError
from bus.settings import BrokerSettings, ProxySettings

LARGEST_ANSWER = 16 * 1024
END = b"\r\n\r\n"

Done = Callable[[BaseException | None], None]


def io_services(loop: IOLoop, settings: BrokerSettings) -> SelectorIOServicesAdapter:
    """What pika connects by: directly, or through the proxy of the settings."""
    if settings.proxy is None:
        return SelectorIOServicesAdapter(loop)
    return TunnelServices(loop, settings, settings.proxy)


def connected_socket(settings: BrokerSettings, timeout: float) -> socket.socket:
    """As `io_services`, for somebody who waits. Raises OSError, ProxyError, ProxyRefusedError."""
    proxy = settings.proxy
    if proxy is None:
        return socket.create_connection((settings.host, settings.port), timeout)
    try:
        connection = socket.create_connection((proxy.host, proxy.port), timeout)
    except OSError as error:
        raise _no_proxy(proxy, error) from error
    try:
        connection.sendall(connect_request(settings, proxy))
        answer = b""
        while not answer.endswith(END) and len(answer) < LARGEST_ANSWER:
            if not (byte := connection.recv(1)):
                break
            answer += byte
        check_answer(answer, settings, proxy)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_request(settings: BrokerSettings, proxy: ProxySettings) -> bytes:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    lines = [f"CONNECT {host}:{settings.port} HTTP/1.1", f"Host: {host}:{settings.port}"]
    if proxy.user is not None:
        password = proxy.password.get_secret_value() if proxy.password else ""
        token = b64encode(f"{proxy.user}:{password}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {token}")
    return "\r\n".join([*lines, "", ""]).encode()


def check_answer(answer: bytes, settings: BrokerSettings, proxy: ProxySettings) -> None:
    """Raises ProxyError, or ProxyRefusedError where waiting does not heal it."""
    line, _, _ = answer.partition(b"\r\n")
    version, _, status = line.decode("latin-1").partition(" ")
    code = status[:3]
    where, target = proxy.address, f"{settings.host}:{settings.port}"
    if not version.startswith("HTTP/") or not code.isdigit() or not answer.endswith(END):
        raise ProxyError(
            f"what answers at {where} is no HTTP proxy, or hung up: check the setting proxy"
        )
    if code == "407":
        what = "the user and password it was given" if proxy.user else "a connection without login"
        raise ProxyRefusedError(
            f"the proxy {where} refuses {what} (407): write "
            'proxy = "http://${PROXY_USER}:${PROXY_PASSWORD}@HOST:PORT" and set both variables'
        )
    if code.startswith("4"):
        raise ProxyRefusedError(
            f"the proxy {where} refuses a tunnel to {target} ({code}): its administrator must "
            "allow CONNECT to that host and port"
        )
    if not code.startswith("2"):
        raise ProxyError(
            f"the proxy {where} does not reach {target} ({code}): check the broker's address, and "
            "whether the broker runs"
        )


class TunnelServices(SelectorIOServicesAdapter):  # type: ignore[misc]
    """Pika's I/O, whose sockets are connected to the broker by way of the proxy."""

    def __init__(self, loop: IOLoop, settings: BrokerSettings, proxy: ProxySettings) -> None:
        super().__init__(loop)
        self._settings, self._proxy = settings, proxy

    def getaddrinfo(
        self,
        host: str,  # noqa: ARG002 - pika's interface
        port: int,  # noqa: ARG002
        on_done: Callable[..., None],
        **options: int,
    ) -> AbstractIOReference:
        """The proxy's address: the broker's name may be unknown behind a firewall."""

        def resolved(result: object) -> None:
            unknown = isinstance(result, OSError)
            on_done(_no_proxy(self._proxy, result) if unknown else result)

        return super().getaddrinfo(self._proxy.host, self._proxy.port, resolved, **options)

    def connect_socket(
        self, sock: socket.socket, resolved_addr: tuple[object, ...], on_done: Done
    ) -> AbstractIOReference:
        handshake = _Handshake(self, sock, on_done)
        handshake.way = super().connect_socket(sock, resolved_addr, handshake.connected)
        return handshake

    def ask(self, sock: socket.socket) -> None:
        """A socket that was just connected takes the few bytes of a request at once."""
        sock.sendall(connect_request(self._settings, self._proxy))

    def check(self, answer: bytes) -> None:
        check_answer(answer, self._settings, self._proxy)

    def explain(self, error: BaseException) -> BaseException:
        return _no_proxy(self._proxy, error) if isinstance(error, OSError) else error


class _Handshake(AbstractIOReference):  # type: ignore[misc]
    """CONNECT on one socket, within pika's own time limit for connecting."""

    def __init__(self, services: TunnelServices, sock: socket.socket, on_done: Done) -> None:
        self.way: AbstractIOReference | None = None
        self._services, self._socket, self._on_done = services, sock, on_done
        self._answer = b""
        self._reads = False

    def cancel(self) -> bool:
        self._stop_reading()
        return bool(self.way and self.way.cancel())

    def connected(self, error: BaseException | None) -> None:
        if error is None:
            try:
                self._services.ask(self._socket)
            except OSError as failure:
                error = failure
        if error is not None:
            self._on_done(self._services.explain(error))
            return
        self._reads = True
        self._services.set_reader(self._socket.fileno(), self._read)

    def _read(self) -> None:
        """Byte by byte: what stands behind the answer is the broker's."""
        try:
            while not self._answer.endswith(END) and len(self._answer) < LARGEST_ANSWER:
                if not (byte := self._socket.recv(1)):
                    break
                self._answer += byte
            self._services.check(self._answer)
        except BlockingIOError:
            return
        except (OSError, ProxyError, ProxyRefusedError) as error:
            self._end(self._services.explain(error))
        else:
            self._end(None)

    def _end(self, error: BaseException | None) -> None:
        self._stop_reading()
        self._on_done(error)

    def _stop_reading(self) -> None:
        if self._reads:
            self._services.remove_reader(self._socket.fileno())
            self._reads = False


def _no_proxy(proxy: ProxySettings, error: object) -> ProxyError:
    why = getattr(error, "strerror", None) or error
    return ProxyError(
        f"no connection to the proxy {proxy.address} ({why}): check the setting proxy, or ask "
        "who runs it"
    )
