"""A web server in a thread of its own."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

from tallystick.errors import ServingError

START_SECONDS = 10.0


@contextmanager
def web_server(application: Starlette, host: str, port: int) -> Iterator[str]:
    """Serve between entering and leaving; gives the address. Raises ServingError."""
    listener = _listen(host, port)
    with listener:
        config = uvicorn.Config(
            application, log_config=None, access_log=False, lifespan="off", proxy_headers=False
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="web", daemon=True
        )
        thread.start()
        give_up = time.monotonic() + START_SECONDS
        while not server.started:
            if not thread.is_alive() or time.monotonic() > give_up:
                raise ServingError("the web server did not start: its output says why")
            time.sleep(0.01)
        try:
            yield f"http://{host}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(START_SECONDS)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # By this name of the protocol asyncio knows that small answers must not wait for each other.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ServingError(
            f"{host}:{port} cannot be listened at: {error.strerror}; --port takes another"
        ) from None
    return listener
