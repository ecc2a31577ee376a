"""One customer, scored end to end through `tally serve` over RabbitMQ, by two parties (S4, S7).

The bank serves HTTP and holds its half, the partner runs as `tally party run` does; both score
5-bin models of a few columns in SQLite. Beside each request the same disk's own fdatasync is timed,
and the commits of each party's log are counted by SQLite's own counter. The look-up is the same
customers' scores alone, in the bank's engine. What a request costs in processor time is told for
each process, which other work on the machine changes less than the latency. A private RabbitMQ is
started from its package.

Requests come one after another, so that each meets what is still done about the one before: the
result on its way to the partner, views, clean-up. (A pause in between makes them no faster.)

    python -m benchmarks.serve_latency --requests 300
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.scoring_parties import MODEL, ROLES, at_broker, broker, customer, make_parties
from party.opening import open_party
from party.samples import open_samples
from scoring.model_tables import ModelTables
from scoring.serving import Scorer

CUSTOMERS = 66_274
WARM = 50
SETTLED_SECONDS = 2.0
COMMITS = slice(8, 12)  # of the index of the write-ahead log: one more for each transaction


@dataclass(frozen=True)
class Latencies:
    """Seconds, sorted."""

    seconds: tuple[float, ...]

    def at(self, share: float) -> float:
        """In milliseconds: the latency that this share of the requests did not exceed."""
        return 1e3 * self.seconds[min(len(self.seconds) - 1, int(share * len(self.seconds)))]

    def __str__(self) -> str:
        return f"p50 {self.at(0.5):7.3f} ms   p99 {self.at(0.99):7.3f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--folder", type=Path, help="on the disk to be measured")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        make_parties(folder, arguments.customers)
        ids = [customer(number) for number in range(arguments.customers)]
        with broker(folder) as urls, serving(folder, urls) as address:
            measure(folder, address, ids, WARM)
            before, worked = commits(folder), processor_seconds(folder)
            requests, disk = measure(folder, address, ids, arguments.requests)
            time.sleep(SETTLED_SECONDS)
            made = {name: count - before[name] for name, count in commits(folder).items()}
            used = {
                name: seconds - worked[name]
                for name, seconds in processor_seconds(folder).items()
                if name in worked
            }
        alone = look_ups(folder / "bank", ids, arguments.requests)
    print(f"end to end, one id:      {requests}")
    print(f"fdatasync of this disk:  {disk}")
    print(f"look-up alone in SQLite: {alone}")
    for name, count in made.items():
        print(f"commits of {name} a request: {count / arguments.requests:.1f}")
    for name, seconds in used.items():
        print(f"processor time of {name} a request: {1e3 * seconds / arguments.requests:.1f} ms")
    print(f"load average: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


@contextmanager
def serving(folder: Path, urls: dict[str, str]) -> Iterator[str]:
    """Both parties at work in processes of their own; gives the address of the bank's door."""
    with ExitStack() as stack:
        for name, command in (("partner", "party run"), ("bank", "serve")):
            at_broker(folder / name, urls[name])
            options = ["--port", "0"] if command == "serve" else []
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tallystick",
                    *command.split(),
                    str(folder / name),
                    *options,
                ],
                stderr=(folder / f"{name}.err").open("w"),
                stdout=subprocess.DEVNULL,
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
        yield wait_for_address(folder / "bank.err")


def wait_for_address(output: Path) -> str:
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        for word in output.read_text().split():
            if word.startswith("http://"):
                return word.rstrip(";")
        time.sleep(0.1)
    raise SystemExit(f"the bank does not serve:\n{output.read_text()}")


def commits(folder: Path) -> dict[str, int]:
    """Of each party's log, since it was opened (https://www.sqlite.org/walformat.html, iChange)."""
    files = {name: folder / name / "log.sqlite-shm" for name in ROLES}
    return {
        name: int.from_bytes(path.read_bytes()[COMMITS], sys.byteorder)
        for name, path in files.items()
    }


def processor_seconds(folder: Path) -> dict[str, float]:
    """Of the parties' processes and the broker's, by what they are (proc(5))."""
    spent: dict[str, float] = {}
    tick = os.sysconf("SC_CLK_TCK")
    for process in _descendants(os.getpid()):
        with suppress(OSError):
            name = _role_of(process, folder)
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            seconds = (int(fields[11]) + int(fields[12])) / tick
            spent[name] = spent.get(name, 0.0) + seconds
    return dict(sorted(spent.items()))


def _descendants(process: int) -> Iterator[int]:
    with suppress(OSError):
        for thread in Path(f"/proc/{process}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield int(child)
                yield from _descendants(int(child))


def _role_of(process: int, folder: Path) -> str:
    command = Path(f"/proc/{process}/cmdline").read_text().split("\0")
    for name in ROLES:
        if str(folder / name) in command:
            return name
    if "multiprocessing" in " ".join(command):
        parent = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1]
        return f"{_role_of(int(parent), folder)}, what may lag"
    return "the broker"


def look_ups(folder: Path, ids: list[str], count: int) -> Latencies:
    """The bank's own part of the score, from its raw rows, one customer at a time."""
    seconds = []
    with (
        closing(open_party(folder)) as party,
        open_samples(party.settings, folder) as samples,
    ):
        model = ModelTables(samples.lookup).load(MODEL, 1)
        scorer = Scorer(model, "realtime", samples, 1)
        for number in range(WARM + count):
            one = ids[number * 7919 % len(ids)]
            began = time.perf_counter()
            found = scorer.one(one)
            seconds.append(time.perf_counter() - began)
            if found is None:
                raise SystemExit(f"the look-up of request {number} found nobody")
    return Latencies(tuple(sorted(seconds[WARM:])))


def measure(
    folder: Path, address: str, ids: list[str], requests: int
) -> tuple[Latencies, Latencies]:
    """Of requests, each sent when the one before is answered; and of the disk, after each."""
    token = (folder / "bank" / "serve.token").read_text().strip()
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    headers = {"Authorization": f"Bearer {token}"}
    answers, syncs = [], []
    with (folder / "disk").open("wb", buffering=0) as disk:
        for number in range(requests):
            body = json.dumps({"model": MODEL, "ids": [ids[number * 7919 % len(ids)]]})
            began = time.perf_counter()
            connection.request("POST", "/v1/scores", body, headers)
            response = connection.getresponse()
            content = response.read()
            ended = time.perf_counter()
            if response.status != 200 or b'"scored"' not in content:
                raise SystemExit(f"{response.status}: {content.decode()}")
            disk.write(bytes(4096))
            written = time.perf_counter()
            os.fdatasync(disk.fileno())
            answers.append(ended - began)
            syncs.append(time.perf_counter() - written)
    return Latencies(tuple(sorted(answers))), Latencies(tuple(sorted(syncs)))


if __name__ == "__main__":
    main()
