"""Private set intersection by size: seconds and memory of both sides, beside OpenMined's.

python -m benchmarks.intersection --help; `pip install openmined-psi` adds it to the table. Both
sides have as many identifiers, half of them in common; every result is compared with plain sets.
"""

import argparse
import json
import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from benchmarks.workload import BenchmarkError
from handlers.matching import match, repeats
from handlers.posted import IDENTIFIERS_PER_BATCH
from handlers.ristretto import POINT_BYTES, blind, blind_again, draw_exponent
from paillier.generator import DeterministicGenerator
from tallystick.terminal import note, say, show_table

SIZES = (1_000, 10_000, 100_000, 1_000_000)
FALSE_POSITIVES = 1e-9
Intersect = Callable[[Sequence[str], Sequence[str], int], int]


@dataclass(frozen=True)
class Figures:
    """Of both sides together; memory beyond that of the identifiers themselves, at its peak."""

    identifiers: int
    wall_seconds: float
    cpu_seconds: float
    memory_mebibytes: float


def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    ways: dict[str, Intersect] = {"tallystick": own_intersection}
    if find_spec("private_set_intersection"):
        ways["openmined-psi"] = openmined_intersection
    figures = {
        name: [measure(way, size, options.threads) for size in options.sizes]
        for name, way in ways.items()
    }
    rows = [
        (
            f"{one.identifiers:,}",
            name,
            f"{one.wall_seconds:.1f}",
            f"{one.cpu_seconds:.1f}",
            f"{one.memory_mebibytes:.0f}",
        )
        for name, measured in figures.items()
        for one in measured
    ]
    say(f"{options.threads} threads on {os.cpu_count()} cores, both sides on this machine")
    headings = ("identifiers a side", "by", "seconds", "CPU seconds", "MiB")
    show_table(headings, rows, right="seconds MiB")
    if options.out:
        document = {name: [asdict(one) for one in measured] for name, measured in figures.items()}
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(document, indent=1) + "\n")
        note(f"all figures: {options.out}")


def measure(way: Intersect, size: int, threads: int) -> Figures:
    """In a process of its own, whose peak of memory is nobody else's. Raises BenchmarkError."""
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawning) as process:
        return process.submit(_measure, way, size, threads).result()


def own_intersection(bank: Sequence[str], partner: Sequence[str], threads: int) -> int:
    """As the handlers do it, batch by batch: how many identifiers both have."""
    exponents = [draw_exponent(DeterministicGenerator(os.urandom(32))) for _ in range(2)]

    def doubly_blinded(identifiers: Sequence[str], first: bytes, second: bytes) -> bytes:
        tags = []
        for start in range(0, len(identifiers), IDENTIFIERS_PER_BATCH):
            batch = identifiers[start : start + IDENTIFIERS_PER_BATCH]
            points = blind(batch, "benchmark", first, threads)
            if len(points) != POINT_BYTES * len(batch):
                raise BenchmarkError("a batch has another size than its identifiers")
            tags.append(blind_again(points, second, threads))
        return b"".join(tags)

    returned = doubly_blinded(bank, *exponents)
    blinded = doubly_blinded(partner, *reversed(exponents))
    if repeats(returned) or repeats(blinded):
        raise BenchmarkError("different identifiers have the same tag")
    return len(match(returned, blinded).local)


def openmined_intersection(bank: Sequence[str], partner: Sequence[str], _threads: int) -> int:
    """Its own protocol on P-256, one thread, exact (no Bloom filter)."""
    import private_set_intersection.python as psi  # noqa: PLC0415 - optional

    client, server = psi.client.CreateWithNewKey(True), psi.server.CreateWithNewKey(True)
    setup = server.CreateSetupMessage(
        FALSE_POSITIVES, len(bank), list(partner), psi.DataStructure.RAW
    )
    response = server.ProcessRequest(client.CreateRequest(list(bank)))
    return len(client.GetIntersection(setup, response))


def _measure(way: Intersect, size: int, threads: int) -> Figures:
    numbers = [f"{15_400_000_000 + number}" for number in range(size + size // 2)]
    bank, partner = numbers[:size], numbers[size // 2 :]
    way(bank[:10], partner[:10], threads)  # libraries loaded, before anything is counted
    before, cpu, wall = _peak(), time.process_time(), time.perf_counter()
    common = way(bank, partner, threads)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    if common != len(set(bank) & set(partner)):
        raise BenchmarkError(f"{common} in common, plain sets say otherwise")
    return Figures(size, wall, cpu, _peak() - before)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.intersection", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="identifiers a side")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, help="write all figures to this JSON file")
    return parser


if __name__ == "__main__":
    main()
