"""How long the audit of one training takes: `python -m benchmarks.audited_job FOLDER`.

FOLDER is what `python -m benchmarks.full_size --folder FOLDER` leaves. Every command runs as an
auditor runs it, in a process of its own, and must find that everything holds.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.full_size import JOB
from benchmarks.process_figures import ProcessWatch
from tallystick.terminal import show_table

MEBIBYTE = 1 << 20


class Audited(NamedTuple):
    """CPU seconds are of all its processes, the peak of the largest one."""

    command: str
    clock_seconds: float
    cpu_seconds: float
    peak_mebibytes: float


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("folder", type=Path)
    options.add_argument("--job", default=JOB)
    chosen = options.parse_args()
    rows = [
        (
            one.command,
            f"{one.clock_seconds:.1f}",
            f"{one.cpu_seconds:.1f}",
            f"{one.peak_mebibytes:,.0f}",
        )
        for one in audited(chosen.folder, chosen.job)
    ]
    show_table(("tally audit", "seconds", "CPU seconds", "peak MiB"), rows)


def audited(folder: Path, job: str) -> list[Audited]:
    """Each command on the folders of the three parties."""
    with tempfile.TemporaryDirectory() as scratch:
        commands = [
            "verify bank",
            "verify partner",
            "compare bank partner arbiter",
            "replay partner",
            f"report bank partner --out {scratch}/report.html",
            *(f"reexecute {name} --job {job}" for name in ("bank", "partner", "arbiter")),
        ]
        return [run(folder, command) for command in commands]


def run(folder: Path, command: str) -> Audited:
    words = [sys.executable, "-m", "tallystick", "audit", *command.split()]
    began = time.perf_counter()
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with ProcessWatch({"audit": process.pid}) as watch:
        told = process.stdout.read() if process.stdout else b""
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"tally audit {command} did not hold:\n{told.decode()}")
    return Audited(
        command=command.partition(" --")[0],
        clock_seconds=time.perf_counter() - began,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_mebibytes=max(watch.peak.values(), default=0) / MEBIBYTE,
    )


if __name__ == "__main__":
    main()
