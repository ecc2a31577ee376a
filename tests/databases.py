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


@contextmanager
def private_postgres() -> Iterator[str]:
    """Start a server; yield the SQLAlchemy address of its database as the superuser."""
    programs = _find_programs()
    directory = Path(tempfile.mkdtemp(prefix="tallystick-postgres-"))
    directory.chmod(0o711)
    data, sockets, log = (directory / name for name in ("data", "sockets", "log"))
    account = _unprivileged_account()
    for folder in (data, sockets):
        folder.mkdir(mode=0o700)
        os.chown(folder, account.pw_uid, account.pw_gid)
    create = [str(programs / "initdb"), "-D", str(data), "-U", "tallystick", "-A", "trust"]
    serve = [str(programs / "postgres"), "-D", str(data), "-k", str(sockets), "-h", "", "-N", "50"]
    try:
        with log.open("wb") as output:
            _start(account, [*create, "-E", "UTF8", "--locale=C"], output).wait()
            server = _start(account, serve, output)
        try:
            _wait_until_ready(server, sockets, log)
            yield f"postgresql+psycopg://tallystick@/postgres?host={quote(str(sockets), safe='')}"
        finally:
            server.send_signal(signal.SIGQUIT)
            server.wait()
    finally:
        shutil.rmtree(directory)


def _find_programs() -> Path:
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
