"""What a full-size run took, as a document and as a table."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.process_figures import ProcessWatch
from events.preparation import FeaturesPrepared, PublicKeyIssued
from handlers.history import History
from paillier.kernels import kernel_name
from party.jobs import job_history
from party.opening import open_party

BROKER = "broker"
ALIGNMENT = ("blind", "blind_again")
MEBIBYTE = 1 << 20


def figures(
    folder: Path,
    job: str,
    facts: Mapping[str, Any],
    watch: ProcessWatch,
    arithmetic: Mapping[str, Mapping[str, float]],
    span: tuple[float, float],
) -> dict[str, Any]:
    """`facts` are what `tally train --json` tells, `span` the moments of its beginning and end.

    Arithmetic is all that handlers call in the room paillier, and the alignment's points; overhead
    is everything else from the request on: data, log, sealing, bus, binning, numpy, `tally train`.
    """
    bank = open_party(folder / "bank")
    prepared = _prepared_at(job_history(bank.log, job))
    bank.close()
    begun, ended = span
    names = list(arithmetic)
    cpu = {name: _by_process(watch.cpu, name) for name in [*names, "tally train"]}
    total = sum(watch.cpu.values())
    arithmetic_total = sum(sum(seconds.values()) for seconds in arithmetic.values())
    aligning = sum(seconds.get(one, 0) for seconds in arithmetic.values() for one in ALIGNMENT)
    rounds = watch.cpu_between(prepared, ended)
    overhead_of_rounds = rounds - (arithmetic_total - aligning)
    return {
        "kernel": kernel_name(),
        "rounds": facts["rounds"],
        "stopped": facts["stopped"],
        "training_rows": facts["training_rows"],
        "auc": {name: facts["quality"][name]["auc"] for name in ("joint", "alone")},
        "wall_seconds": {
            "all": round(ended - begun, 1),
            "preparing": round(prepared - begun, 1),
            "rounds": round(ended - prepared, 1),
        },
        "cpu_seconds": {
            "all": round(total, 1),
            "arithmetic": round(arithmetic_total, 1),
            "overhead": round(total - arithmetic_total, 1),
            "rounds": round(rounds, 1),
            "overhead of rounds": round(overhead_of_rounds, 1),
        },
        "overhead_share": {
            "all": round((total - arithmetic_total) / total, 4),
            "rounds": round(overhead_of_rounds / rounds, 4),
        },
        "cpu_seconds_by_process": cpu,
        "arithmetic_by_function": {
            name: {function: round(one, 2) for function, one in sorted(seconds.items())}
            for name, seconds in arithmetic.items()
        },
        "peak_mebibytes": {
            name: _by_process({key: peak / MEBIBYTE for key, peak in watch.peak.items()}, name)
            for name in [*names, "tally train"]
        },
        "payload_mebibytes": {name: _size(folder / name / "payloads") for name in names},
    }


def show(result: Mapping[str, Any]) -> None:
    """The most important of it."""
    for name in ("rounds", "stopped", "training_rows", "kernel", "equals_replica"):
        print(f"{name.replace('_', ' '):<28} {result[name]}")
    for name in ("wall_seconds", "cpu_seconds", "overhead_share", "auc", BROKER):
        for part, value in result[name].items():
            print(f"{name.replace('_', ' ') + ', ' + part:<36} {value:,}")
    for name, peaks in result["peak_mebibytes"].items():
        parts = ", ".join(f"{process} {value:,.0f}" for process, value in peaks.items())
        print(f"peak MiB, {name:<20} {sum(peaks.values()):>8,.0f}  ({parts})")
    for name, size in result["payload_mebibytes"].items():
        print(f"payload store MiB, {name:<12} {size:>8,.0f}")


def _prepared_at(history: History) -> float:
    """When the last party was ready to train, in seconds since 1970."""
    facts = [*history.of(FeaturesPrepared), history.one(PublicKeyIssued)]
    return max(dt.datetime.fromisoformat(fact.envelope.time).timestamp() for fact in facts)


def _by_process(values: Mapping[tuple[str, int], float], party: str) -> dict[str, float]:
    """The first process is the link, the one it starts for itself the reactor."""
    found = sorted((process, value) for (name, process), value in values.items() if name == party)
    return {f"process {number}": round(value, 1) for number, (_, value) in enumerate(found, 1)}


def _size(folder: Path) -> float:
    sizes = (one.stat().st_size for one in folder.rglob("*") if one.is_file())
    return round(sum(sizes) / MEBIBYTE, 3)
