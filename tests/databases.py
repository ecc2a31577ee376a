"""A PostgreSQL of one's own: Debian's binaries in a temporary directory, on a socket no one shares.

It listens to no network, runs as an unprivileged user, and is gone when the context ends.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

REPOSITORY = Path(__file__).resolve().parent.parent
STARTUP_SECONDS = 60


@contextmanager
def private_postgres() -> Iterator[str]:
    """Start a server; yield the SQLAlchemy address of its database as the superuser."""
    programs = _find_programs()
    account = _unprivileged_account()
    directory = Path(tempfile.mkdtemp(prefix="tallystick-postgres-"))
    directory.chmod(0o711)
    data = directory / "data"
    sockets = directory / "sockets"
    for folder in (data, sockets):
        folder.mkdir(mode=0o700)
        os.chown(folder, account.pw_uid, account.pw_gid)
    control = [str(programs / "pg_ctl"), "-D", str(data), "-w", "-t", str(STARTUP_SECONDS)]
    create = [str(programs / "initdb"), "-D", str(data)]
    options = f"-c listen_addresses= -c unix_socket_directories={sockets} -c max_connections=50"
    log = data / "server.log"
    try:
        _run_as(account, [*create, "-U", "tallystick", "-A", "trust", "-E", "UTF8", "--locale=C"])
        _run_as(account, [*control, "-l", str(log), "-o", options, "start"])
        try:
            yield f"postgresql+psycopg://tallystick@/postgres?host={quote(str(sockets), safe='')}"
        finally:
            _run_as(account, [*control, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(directory)


def _find_programs() -> Path:
    unpacked = REPOSITORY / ".venv" / "postgresql" / "bin"
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    for folder in (*reversed(installed), unpacked):
        if (folder / "initdb").exists():
            return folder
    raise RuntimeError("PostgreSQL is not installed: run `make test`, which fetches it")


def _unprivileged_account() -> pwd.struct_passwd:
    """PostgreSQL refuses to run as root."""
    return pwd.getpwuid(os.getuid()) if os.getuid() else pwd.getpwnam("nobody")


def _run_as(account: pwd.struct_passwd, command: list[str]) -> None:
    if os.getuid() != account.pw_uid:
        user, group = f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}"
        command = ["setpriv", user, group, "--clear-groups", *command]
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    with tempfile.TemporaryFile() as output:  # a pipe would stay open in the server
        done = subprocess.run(
            command,
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
        output.seek(0)
        if done.returncode:
            raise RuntimeError(f"{command} failed:\n{output.read().decode()}")
