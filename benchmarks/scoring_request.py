"""`tally score` of millions of customers, offline, by two parties over RabbitMQ (S2, S4, S7).

Each party extracts features and computes results ahead by its own commands, then `tally score`
asks for every customer. Each command and party is a process of its own, whose peak of memory is
told. Parties use embedded engines, or PostgreSQL, whose own memory is not counted. What scores are
worth is tested elsewhere; here all must be there.

    python -m benchmarks.scoring_request --rows 10000000
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.process_figures import ProcessWatch
from benchmarks.scoring_parties import (
    MODEL,
    ROLES,
    at_broker,
    broker,
    customer,
    make_parties,
    postgresql,
)
from tallystick.terminal import note, say, show_table

POLICY = "[policy]\nscoring_rows_an_hour = 100000000\n"
START_SECONDS = 60
MEBIBYTE = 1 << 20
Line = tuple[str, str, str, str, str]


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.scoring_request", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="on a disk with room for 1 KB a row")
    parser.add_argument("--postgresql", action="store_true", help="parties' engine is a server")
    parser.add_argument("--out", type=Path, help="write all figures to this JSON file")
    options = parser.parse_args()
    lines: list[Line] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.folder)))
        engines = stack.enter_context(postgresql()) if options.postgresql else None
        note(f"{options.rows:,} customers: making the data")
        make_parties(folder, options.rows, POLICY, engines)
        with (folder / "ids.txt").open("w") as ids:
            ids.writelines(f"{customer(number)}\n" for number in range(options.rows))
        with broker(folder) as urls:
            for party in ROLES:
                at_broker(folder / party, urls[party])
                ahead = ("features refresh", "score precompute")
                for command in ahead:
                    lines += _command(folder, options.rows, [*command.split(), "--as", party])
            with _running(folder) as processes:
                asked = ["score", MODEL, "--as", "bank", "--ids", "ids.txt"]
                asked += ["--how", "offline", "--out", "scores.parquet"]
                lines += _command(folder, options.rows, asked, processes)
        _check(folder / "scores.parquet", options.rows)
    kind = "PostgreSQL" if options.postgresql else "embedded engines"
    say(f"tally score of {options.rows:,} customers, {kind}, {os.cpu_count()} cores")
    headings = ("process", "seconds", "rows/s", "CPU s", "MiB")
    show_table(headings, lines, right=" ".join(headings[1:]))
    if options.out:
        rows = [dict(zip(headings, line, strict=True)) for line in lines]
        document = {"customers": options.rows, "engines": kind, "cores": os.cpu_count()}
        options.out.write_text(json.dumps(document | {"processes": rows}, indent=1) + "\n")


@contextmanager
def _running(folder: Path) -> Iterator[dict[str, int]]:
    with ExitStack() as stack:
        processes = {}
        for name in ROLES:
            output = stack.enter_context((folder / f"{name}.err").open("w"))
            command = [sys.executable, "-m", "tallystick", "party", "run", name]
            process = subprocess.Popen(command, cwd=folder, stderr=output)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            processes[name] = process.pid
        give_up = time.monotonic() + START_SECONDS
        while not all("running" in (folder / f"{name}.err").read_text() for name in ROLES):
            if time.monotonic() > give_up:
                raise SystemExit("the parties do not run")
            time.sleep(0.2)
        yield processes


def _command(
    folder: Path, rows: int, arguments: Sequence[str], others: dict[str, int] | None = None
) -> list[Line]:
    """Run a command to its end; a line for it, and one for each process that worked beside it."""
    title = " ".join(["tally", *arguments[: arguments.index("--as")]])
    note(f"{title}, by {arguments[arguments.index('--as') + 1]}")
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "tallystick", *arguments], cwd=folder)
    with ProcessWatch({**(others or {}), title: process.pid}) as watch:
        if process.wait():
            raise SystemExit(f"{title} failed")
    seconds = time.perf_counter() - begun
    lines = []
    for (name, number), peak in sorted(watch.peak.items()):
        told = (f"{seconds:.1f}", f"{rows / seconds:,.0f}") if name == title else ("", "")
        cpu = f"{watch.cpu[name, number]:.1f}"
        lines.append((name, *told, cpu, f"{peak / MEBIBYTE:,.0f}"))
    return lines


def _check(path: Path, rows: int) -> None:
    """Every customer has a chance, between 0 and 1 and not always the same."""
    table = pq.read_table(path)
    status, chance = table.column("status"), table.column("probability")
    scored = pc.sum(pc.equal(status, "scored")).as_py()
    low, high = pc.min(chance).as_py(), pc.max(chance).as_py()
    if table.num_rows != rows or scored != rows or not 0 < low < high < 1:
        raise SystemExit(f"{scored:,} of {table.num_rows:,} are scored, from {low} to {high}")


if __name__ == "__main__":
    main()
