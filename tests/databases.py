"""A PostgreSQL of one's own: Debian's binaries in a temporary directory, on a socket no one shares.

It listens to no network, runs as an unprivileged user, and dies with the process that started it.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

import psycopg

REPOSITORY = Path(__file__).resolve().parent.parent
STARTUP_SECONDS = 60


class PrivatePostgres:
    """One server: its address, and how to restart it as after a crash, with its data."""

    def __init__(self, directory: Path) -> None:
        self._programs = find_programs()
        self._account = _unprivileged_account()
        self._data, self._sockets, self._log = (
            directory / name for name in ("data", "sockets", "log")
        )
        self._server: subprocess.Popen[bytes] | None = None
        directory.chmod(0o711)
        for folder in (self._data, self._sockets):
            folder.mkdir(mode=0o700)
            os.chown(folder, self._account.pw_uid, self._account.pw_gid)
        create = [str(self._programs / "initdb"), "-D", str(self._data), "-U", "tallystick"]
        with self._log.open("wb") as output:
            options = ["-A", "trust", "-E", "UTF8", "--locale=C"]
            _start(self._account, [*create, *options], output).wait()

    @property
    def url(self) -> str:
        """The SQLAlchemy address of its database as the superuser."""
        sockets = quote(str(self._sockets), safe="")
        return f"postgresql+psycopg://tallystick@/postgres?host={sockets}"

    @property
    def process(self) -> int:
        """Of the started server; its others are children of it."""
        if self._server is None:
            raise RuntimeError("the server is not started")
        return self._server.pid

    def start(self) -> None:
        serve = [str(self._programs / "postgres"), "-D", str(self._data), "-k", str(self._sockets)]
        with self._log.open("ab") as output:
            self._server = _start(self._account, [*serve, "-h", "", "-N", "50"], output)
        _wait_until_ready(self._server, self._sockets, self._log)

    def stop(self) -> None:
        """At once: connections break, and what was not committed is gone."""
        if self._server is not None:
            self._server.send_signal(signal.SIGQUIT)
            self._server.wait()
            self._server = None


@contextmanager
def restartable_postgres() -> Iterator[PrivatePostgres]:
    """A started server; gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="tallystick-postgres-"))
    try:
        server = PrivatePostgres(directory)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(directory)


@contextmanager
def private_postgres() -> Iterator[str]:
    """Start a server; yield the SQLAlchemy address of its database as the superuser."""
    with restartable_postgres() as server:
        yield server.url


def find_programs() -> Path:
    unpacked = REPOSITORY / ".venv" / "postgresql" / "bin"
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    for folder in (*reversed(installed), unpacked):
        if (folder / "initdb").exists():
            return folder
    raise RuntimeError("PostgreSQL is not installed for the tests: run `make test`, which does it")


def _unprivileged_account() -> pwd.struct_passwd:
    """PostgreSQL refuses to run as root."""
    return pwd.getpwuid(os.getuid()) if os.getuid() else pwd.getpwnam("nobody")


def _start(
    account: pwd.struct_passwd, command: list[str], output: BinaryIO
) -> subprocess.Popen[bytes]:
    prefix = ["setpriv", "--pdeathsig", "QUIT"]
    if os.getuid() != account.pw_uid:
        user, group = f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}"
        prefix += [user, group, "--clear-groups"]
    return subprocess.Popen(
        [*prefix, *command],
        cwd="/",
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
    )


def _wait_until_ready(server: subprocess.Popen[bytes], sockets: Path, log: Path) -> None:
    give_up = time.monotonic() + STARTUP_SECONDS
    while True:
        try:
            psycopg.connect(host=str(sockets), user="tallystick", dbname="postgres").close()
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}") from error
            time.sleep(0.05)
        else:
            return
