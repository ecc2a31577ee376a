"""A plain TCP proxy that can be cut and healed, and an HTTP proxy that makes tunnels."""

import contextlib
import socket
import threading
from base64 import b64encode
from collections.abc import Iterator


class TcpProxy:
    """Listens on a port of its own and passes everything on to the target, both ways."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._is_cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End every connection, and every new one at once."""
        self._is_cut = True
        self._end_all()

    def heal(self) -> None:
        self._is_cut = False

    def close(self) -> None:
        self._listener.close()
        self._end_all()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._is_cut:
                near.close()
                continue
            threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        if not self.admits(near):
            near.close()
            return
        try:
            far = socket.create_connection(("127.0.0.1", self._target_port))
        except OSError:
            near.close()
            return
        self.begins(near)
        with self._lock:
            self.connections += 1
            self._open |= {near, far}
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def admits(self, near: socket.socket) -> bool:
        return True

    def begins(self, near: socket.socket) -> None:
        """The far side is there."""

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        self._end(source)
        self._end(sink)

    def _end_all(self) -> None:
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            self._end(connection)

    def _end(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()


class HttpProxy(TcpProxy):
    """Answers CONNECT as a company's proxy does; every name that it allows is the target."""

    def __init__(self, target_port: int, *, login: str | None = None, answer: str = "") -> None:
        """`login` is USER:PASSWORD; `answer` refuses everybody with this status."""
        self.asked: list[str] = []
        self._answer = answer
        self._token = b64encode(login.encode()).decode() if login else None
        super().__init__(target_port)

    def admits(self, near: socket.socket) -> bool:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            if not (some := near.recv(4096)):
                return False
            request += some
        line, *headers = request.decode().split("\r\n")
        self.asked.append(line)
        known = f"Proxy-Authorization: Basic {self._token}" in headers
        status = self._answer or ("" if known or self._token is None else "407 Who are you?")
        if status:
            near.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        return not status

    def begins(self, near: socket.socket) -> None:
        near.sendall(b"HTTP/1.1 200 Connection established\r\nVia: a test\r\n\r\n")


@contextlib.contextmanager
def http_proxy(
    target_port: int, *, login: str | None = None, answer: str = ""
) -> Iterator[HttpProxy]:
    proxy = HttpProxy(target_port, login=login, answer=answer)
    try:
        yield proxy
    finally:
        proxy.close()


@contextlib.contextmanager
def tcp_proxy(target_port: int) -> Iterator[TcpProxy]:
    proxy = TcpProxy(target_port)
    try:
        yield proxy
    finally:
        proxy.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
