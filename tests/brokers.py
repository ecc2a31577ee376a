"""A RabbitMQ of one's own: Debian's package run with the very files of docker/rabbitmq/.

Everything is on loopback, in a temporary directory, on ports picked at random; neither the
service nor the user `rabbitmq` is touched, and the broker dies with the process that started it.
"""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path

import pika

from bus.topology import dead_queue_name, queue_name
from tests.certificates import Authority, Certificate

REPOSITORY = Path(__file__).resolve().parent.parent
FILES = REPOSITORY / "docker" / "rabbitmq"
STARTUP_SECONDS = 90

# The group's leader waits for the end of its input: a closed pipe, or this process's death.
_LEADER = """
"$EPMD" -port "$ERL_EPMD_PORT" -address 127.0.0.1 &
{ "$ENTRYPOINT" "$SERVER" || true; echo "the broker has ended"; } >"$CONSOLE" 2>&1 &
read -r _
kill -9 0
"""


class PrivateBroker:
    """One broker: its addresses, and how to kill and revive it with its data."""

    user = "tallystick"

    def __init__(self, directory: Path, federation: Path | None = None) -> None:
        self.directory = directory
        self._federation = federation
        ports = _free_ports(5)
        self.port, self.tls_port, self.management_port, distribution, self._epmd_port = ports
        self._passwords = {self.user: secrets.token_hex(16)}
        self._server = _find_server()
        self.authority = Authority(directory / "certificates")
        self._leader: subprocess.Popen[bytes] | None = None
        self._environment = self._make_environment(distribution)
        self._write_files()

    @property
    def amqp_url(self) -> str:
        return self.url_of(self.user)

    @property
    def management_url(self) -> str:
        return f"http://127.0.0.1:{self.management_port}"

    def url_of(self, user: str) -> str:
        return f"amqp://{user}:{self._passwords[user]}@127.0.0.1:{self.port}/tallystick"

    def tls_url_of(self, user: str, authority: Path, client: Certificate | None = None) -> str:
        """With the authority that the client trusts, and the certificate that it shows."""
        certificate = f"&certfile={client.file}&keyfile={client.key_file}" if client else ""
        return (
            f"amqps://{user}:{self._passwords[user]}@127.0.0.1:{self.tls_port}/tallystick"
            f"?cacertfile={authority}{certificate}"
        )

    def add_party(self, name: str) -> str:
        """Before start: a user who may publish as itself only; returns its URL."""
        self._passwords[name] = secrets.token_hex(16)
        definition = _definition_of_party(name, self._passwords[name])
        (self.directory / "definitions.d" / f"30-{name}.json").write_text(json.dumps(definition))
        return self.url_of(name)

    def add_definitions(self, definitions: Mapping[str, object]) -> None:
        """Before start: what an administrator would load."""
        file = self.directory / "definitions.d" / "40-federation.json"
        file.write_text(json.dumps(definitions))

    def start(self) -> None:
        """Start, or start again after kill(), and wait until clients can connect."""
        console = self.directory / "console.log"
        console.write_text("")
        self._leader = subprocess.Popen(
            ["/bin/sh", "-c", _LEADER],
            env=self._environment,
            cwd=self.directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + STARTUP_SECONDS
        while "Server startup complete" not in (text := console.read_text(errors="replace")):
            if "the broker has ended" in text or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the private RabbitMQ did not start:\n{text[-4000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """SIGKILL to the whole broker, as a power cut would."""
        if self._leader is not None:
            assert self._leader.stdin is not None
            self._leader.stdin.close()
            self._leader.wait()
            self._leader = None

    def wipe(self) -> None:
        """Lose queues and messages for good: kill() with another disk after it."""
        self.kill()
        shutil.rmtree(self.directory / "mnesia")

    def forget(self, *parties: str) -> None:
        """Delete the queues of these parties, and with them their arguments."""
        with pika.BlockingConnection(pika.URLParameters(self.amqp_url)) as connection:
            channel = connection.channel()
            for party in parties:
                channel.queue_delete(queue_name(party))
                channel.queue_delete(dead_queue_name(party))

    def control(self, *arguments: str) -> str:
        """Run rabbitmqctl (half a second a call)."""
        command = [str(self._server.with_name("rabbitmqctl")), "--quiet", *arguments]
        return subprocess.run(
            command,
            env=self._environment,
            cwd=self.directory,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def _write_files(self) -> None:
        configuration = self.directory / "conf.d"
        definitions = self.directory / "definitions.d"
        configuration.mkdir()
        definitions.mkdir()
        for file in (FILES / "conf.d").glob("*.conf"):
            shutil.copy(file, configuration)
        shutil.copy(FILES / "definitions.json", definitions / "10-tallystick.json")
        shutil.copy(FILES / "enabled_plugins", self.directory)
        authority, certificate = self.authority.file, self.authority.issue("127.0.0.1")
        if self._federation is not None:
            shutil.copy(FILES / "federation.conf", configuration / "20-federation.conf")
            shutil.copy(self._federation / "definitions.json", definitions / "30-federation.json")
            server = self._federation / "server"
            authority = server / "broker-authority.pem"
            certificate = Certificate(server / "broker.pem", server / "broker.key")
        (configuration / "90-private.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            f"listeners.ssl.1 = 127.0.0.1:{self.tls_port}\n"
            f"ssl_options.cacertfile = {authority}\n"
            f"ssl_options.certfile = {certificate.file}\n"
            f"ssl_options.keyfile = {certificate.key_file}\n"
            "ssl_options.verify = verify_peer\n"
            "ssl_options.fail_if_no_peer_cert = true\n"
            "management.tcp.ip = 127.0.0.1\n"
            f"management.tcp.port = {self.management_port}\n"
            f"load_definitions = {definitions}\n"
            "total_memory_available_override_value = 4GB\n"
            "disk_free_limit.absolute = 256MB\n"
        )

    def _make_environment(self, distribution_port: int) -> dict[str, str]:
        root = self._server.parents[6]  # of usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/
        erlang = root / "usr/lib/erlang"
        folders = [*root.glob("usr/lib/*-linux-gnu"), *root.glob("lib/*-linux-gnu")]
        unpacked = {"LD_LIBRARY_PATH": os.pathsep.join(map(str, folders))}
        cookie = f"-setcookie {secrets.token_hex(16)}"
        path = [str(self._server.parent), str(erlang / "bin"), "/usr/sbin", "/usr/bin", "/bin"]
        return {
            "PATH": os.pathsep.join(path),
            "LANG": "C.UTF-8",
            "HOME": str(self.directory),
            **(unpacked if root != Path("/") else {}),
            "CONSOLE": str(self.directory / "console.log"),
            "ENTRYPOINT": str(FILES / "entrypoint.sh"),
            "EPMD": str(next(erlang.glob("erts-*/bin/epmd"))),
            "SERVER": str(self._server),
            "TALLYSTICK_BROKER_DEFINITIONS": str(self.directory / "definitions.d"),
            "TALLYSTICK_BROKER_PASSWORD": "" if self._federation else self._passwords[self.user],
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_CONF_ENV_FILE": str(self.directory / "none"),
            "RABBITMQ_CONFIG_FILES": str(self.directory / "conf.d" / "*.conf"),
            "RABBITMQ_CTL_ERL_ARGS": cookie,
            "RABBITMQ_DIST_PORT": str(distribution_port),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.directory / "generated"),
            "RABBITMQ_LOG_BASE": str(self.directory / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_MNESIA_BASE": str(self.directory / "mnesia"),
            "RABBITMQ_NODENAME": f"tallystick{self.port}@localhost",
            "RABBITMQ_PID_FILE": str(self.directory / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                f"-kernel inet_dist_use_interface {{127,0,0,1}} {cookie} +S 2:2"
            ),
        }


@contextmanager
def private_broker(
    *parties: str,
    definitions: Mapping[str, object] | None = None,
    federation: Path | None = None,
) -> Iterator[PrivateBroker]:
    """A started broker, with a user for each party besides `tallystick`; gone afterwards.

    With the folder that `tally broker` wrote for a federation, it is that federation's broker.
    """
    directory = Path(tempfile.mkdtemp(prefix="tallystick-broker-"))
    try:
        broker = PrivateBroker(directory, federation)
        for party in parties:
            broker.add_party(party)
        if definitions:
            broker.add_definitions(definitions)
        try:
            broker.start()
            yield broker
        finally:
            broker.kill()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _find_server() -> Path:
    """The server's own launcher (Debian's wrapper would change to the user rabbitmq)."""
    pattern = "usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"
    roots = [
        os.environ.get("TALLYSTICK_RABBITMQ_ROOT"),
        REPOSITORY / ".venv" / "rabbitmq",
        Path(sys.prefix) / "rabbitmq",
        "/",
    ]
    for root in roots:
        if root and (found := sorted(Path(root).resolve().glob(pattern))):
            return found[-1]
    raise RuntimeError("RabbitMQ is not installed for the tests: run `make test`, which does it")


def _free_ports(count: int) -> list[int]:
    """Ports below the range that outgoing connections draw from, so a restart finds them free."""
    ports: list[int] = []
    while len(ports) < count:
        port = 20_000 + secrets.randbelow(12_000)
        with closing(socket.socket()) as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports


def _definition_of_party(name: str, password: str) -> dict[str, object]:
    salt = secrets.token_bytes(4)
    digest = salt + sha256(salt + password.encode()).digest()
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    return {
        "users": [
            {
                "name": name,
                "password_hash": b64encode(digest).decode(),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": "",
            }
        ],
        "permissions": [{"user": name, "vhost": "tallystick", **everything}],
        "topic_permissions": [
            {
                "user": name,
                "vhost": "tallystick",
                "exchange": "tallystick",
                "write": f"^{name}\\.",
                "read": ".*",
            }
        ],
    }
