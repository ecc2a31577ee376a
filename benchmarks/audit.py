"""How fast a log is verified, compared and proved: `python -m benchmarks.audit [--events N]`.

A made-up log in SQLite. Medians of several runs; CPU seconds of one core, so that other work on the
machine counts less, and seconds by the clock. Memory is the peak of a process of its own.
"""

import argparse
import base64
import hashlib
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from audit.collecting import rarely_collecting
from audit.comparison import compare
from audit.findings import Check
from audit.log_copy import LogCopy
from audit.payload_files import FolderPayloads, ZipPayloads, payload_member
from audit.replay import replay
from audit.verification import EVERY_CHECK, QUICK_CHECKS, verify
from benchmarks.made_up_log import Writer, stored_copy
from events.card import PartyCard
from events.merkle import MerkleTree, includes
from events.signatures import is_signed

PAYLOAD_BYTES = 256 << 20
MEBIBYTE = 1 << 20
PROVED = 2_000


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=20_000)
    options.add_argument("--runs", type=int, default=3)
    chosen = options.parse_args()
    writer = Writer().fill(chosen.events)
    size = sum(len(entry.canonical) for entry in writer.entries)
    events = len(writer.entries)
    print(f"{events:,} events, {size / events:,.0f} bytes each; {chosen.runs} runs")
    with TemporaryDirectory() as name, rarely_collecting():
        folder = Path(name)
        url = f"sqlite:///{folder}/log.sqlite"
        writer.store(url)
        signatures(writer, chosen.runs)
        proofs(writer, chosen.runs)
        whole_log(url, writer.cards, events, chosen.runs)
        payloads(folder, chosen.runs)


def signatures(writer: Writer, runs: int) -> None:
    first = writer.entries[0].envelope
    key, signed = writer.keys["bank"].public_key(), first.signed_bytes()
    signature = base64.b64decode(first.signature)

    def openssl() -> None:
        for _ in range(PROVED):
            key.verify(signature, signed)

    def chosen() -> None:
        if not all(is_signed(key, signature, signed) for _ in range(PROVED)):
            raise SystemExit("a signature does not hold")

    row("Ed25519 by OpenSSL alone", rate(openssl, PROVED, runs))
    row("Ed25519 as it is done", rate(chosen, PROVED, runs))


def proofs(writer: Writer, runs: int) -> None:
    entries = writer.entries
    tree = MerkleTree(entry.canonical for entry in entries)

    def inclusions() -> None:
        for index in range(PROVED):
            path = tree.inclusion(index)
            if not includes(entries[index].canonical, index, len(tree), path, tree.root()):
                raise SystemExit("a proof does not hold")

    grown = rate(lambda: MerkleTree(one.canonical for one in entries), len(entries), runs)
    row("Merkle tree grown", grown)
    row("inclusion proved and checked", rate(inclusions, PROVED, runs))


def whole_log(url: str, cards: Mapping[str, PartyCard], events: int, runs: int) -> None:
    copy, cores = stored_copy(url, cards), os.cpu_count() or 1

    def checked(checks: frozenset[Check], cores: int = 1) -> None:
        if not verify(copy, checks=checks, cores=cores).holds:
            raise SystemExit("the log of the benchmark does not hold")

    row("schema, digests and chain", rate(lambda: checked(QUICK_CHECKS), events, runs))
    row("everything, with signatures", rate(lambda: checked(EVERY_CHECK), events, runs))
    clock = rate(lambda: checked(EVERY_CHECK, cores), events, runs)[1]
    row(f"the same on {cores} cores", (None, clock))
    row("two logs compared", rate(lambda: compare([copy, copy]), events, runs))
    with TemporaryDirectory() as folder:
        numbers = iter(range(runs))
        replayed = rate(
            lambda: replay(copy, Path(folder) / f"{next(numbers)}.sqlite"), events, runs
        )
    row("views replayed", replayed)
    for what in (peak_of_verifying, peak_of_replaying):
        spawning = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawning) as process:
            peak = process.submit(what, url, dict(cards)).result()
        print(f"{what.__name__.replace('_', ' '):<32} {peak:>8,.0f} MiB")


def peak_of_verifying(url: str, cards: Mapping[str, PartyCard]) -> float:
    return _peak_of(verify, url, cards)


def peak_of_replaying(url: str, cards: Mapping[str, PartyCard]) -> float:
    with TemporaryDirectory() as folder:
        return _peak_of(lambda copy: replay(copy, Path(folder) / "views.sqlite"), url, cards)


def _peak_of(work: Callable[[LogCopy], object], url: str, cards: Mapping[str, PartyCard]) -> float:
    """Beyond what the process has before it begins."""
    copy = stored_copy(url, cards)
    before = _peak_mebibytes()
    with rarely_collecting():
        work(copy)
    return _peak_mebibytes() - before


def _peak_mebibytes() -> float:
    """By VmHWM: ru_maxrss of a new process begins with that of its parent."""
    fields = Path("/proc/self/status").read_text().split()
    return int(fields[fields.index("VmHWM:") + 1]) / 1024


def payloads(folder: Path, runs: int) -> None:
    """One large payload: as a file, in an export, and SHA-256 of bytes in memory."""
    content = os.urandom(PAYLOAD_BYTES)
    commitment = hashlib.sha256(content).hexdigest()
    path = folder / commitment[:2] / commitment
    path.parent.mkdir()
    path.write_bytes(content)
    with ZipFile(folder / "log.tally", "w") as archive:
        archive.write(path, payload_member(commitment))
    with ZipFile(folder / "log.tally") as archive:
        names = frozenset(archive.namelist())
        ways: dict[str, Callable[[], object]] = {
            "SHA-256 alone": lambda: hashlib.sha256(content),
            "payload in a folder": lambda: FolderPayloads(folder).digest_and_size(commitment),
            "payload in an export": lambda: ZipPayloads(
                folder / "log.tally", archive, names
            ).digest_and_size(commitment),
        }
        for name, work in ways.items():
            row(name, rate(work, PAYLOAD_BYTES // MEBIBYTE, runs), "MiB")


def rate(work: Callable[[], object], items: int, runs: int) -> tuple[float | None, float]:
    """Items a second: of CPU time, and by the clock."""
    cpu, clock = [], []
    for _ in range(runs):
        began, began_cpu = time.perf_counter(), time.process_time()
        work()
        cpu.append(time.process_time() - began_cpu)
        clock.append(time.perf_counter() - began)
    return items / statistics.median(cpu), items / statistics.median(clock)


def row(name: str, rates: tuple[float | None, float], unit: str = "") -> None:
    cpu, clock = rates
    spent = f"{cpu:>9,.0f} {unit} a CPU second" if cpu else " " * 22
    print(f"{name:<32} {spent}  {clock:>9,.0f} {unit} a second")


if __name__ == "__main__":
    main()
