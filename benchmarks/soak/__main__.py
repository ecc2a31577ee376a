"""`python -m benchmarks.soak --minutes N --seed S`: jobs under faults, and what became of them.

Each job runs over RabbitMQ between three `tally party run`, with a small key and few customers. It
must end with the model of an undisturbed run, to the bit, or with one TrainingFailed that every log
has; and no log may lack an event that another one has.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from random import Random

from benchmarks.soak.faults import Fault, mount_limited, none, possible, unmount
from benchmarks.soak.federation import NAMES, Federation, Outcome, copy_folder
from tests.brokers import private_broker
from tests.databases import restartable_postgres

PATIENCE_SECONDS = 240.0
DISK_MEGABYTES = 512
UNDISTURBED = Fault("none", none)
COLUMNS = ("same model", "ended by name", "wrong model", "stuck", "lost events")


def main() -> None:
    options = _options()
    random = Random(options.seed)
    tally: dict[str, Counter[str]] = {}
    with ExitStack() as stack:
        temporary = tempfile.TemporaryDirectory(prefix="tallystick-soak-")
        folder = Path(stack.enter_context(temporary))
        broker = stack.enter_context(private_broker())
        postgres = stack.enter_context(restartable_postgres())
        federation = Federation(folder, options.customers, broker, postgres)
        arbiter = federation.path("arbiter")
        copy_folder(arbiter, folder / "arbiter.new")
        limited = mount_limited(arbiter, DISK_MEGABYTES)
        if limited:
            stack.callback(unmount, arbiter)
            shutil.copytree(folder / "arbiter.new", arbiter, dirs_exist_ok=True)
        stack.callback(federation.stop)
        left_out, faults = possible(limited)
        if options.only:
            faults = tuple(one for one in faults if any(text in one.name for text in options.only))
        for name, why in left_out.items():
            print(f"left out: {name}: {why}", flush=True)
        for name in NAMES:
            federation.start(name)
        reference = _run(federation, "undisturbed", UNDISTURBED, random)[0]
        if len(reference.models) != 2:
            raise SystemExit(f"the undisturbed job did not end: {reference}")
        try:
            _soak(federation, reference, faults, tally, options, random)
        finally:
            print(_table(tally), flush=True)
    if options.out is not None:
        options.out.write_text(json.dumps({k: dict(v) for k, v in tally.items()}, indent=1) + "\n")
    bad = sum(count[one] for count in tally.values() for one in COLUMNS[2:])
    raise SystemExit(1 if bad else 0)


def _soak(
    federation: Federation,
    reference: Outcome,
    faults: tuple[Fault, ...],
    tally: dict[str, Counter[str]],
    options: argparse.Namespace,
    random: Random,
) -> None:
    until = time.monotonic() + 60 * options.minutes
    number = 0
    while time.monotonic() < until and (not options.jobs or number < options.jobs):
        fault = faults[(options.seed + number) % len(faults)]  # another seed, another first
        number += 1
        began = time.monotonic()
        outcome, told = _run(federation, f"soak-{number}", fault, random)
        verdict = _verdict(outcome, reference)
        count = tally.setdefault(fault.name, Counter())
        count["jobs"] += 1
        count[verdict] += 1
        count["lost events"] += outcome.lost
        seconds = time.monotonic() - began
        print(f"{number:3d} {seconds:5.0f} s  {fault.name}: {verdict} ({told})", flush=True)
        if outcome.failures or verdict in COLUMNS[2:] or outcome.lost:
            print(f"    {sorted(outcome.failures)} {outcome.detail}", flush=True)


def _run(federation: Federation, job: str, fault: Fault, random: Random) -> tuple[Outcome, str]:
    federation.request(job)
    told = fault.apply(federation, random)
    outcome = federation.outcome(job, PATIENCE_SECONDS)
    for name in federation.ended_by_itself():
        told += f"; {name} had ended by itself"
        federation.start(name)
    return outcome, told


def _verdict(outcome: Outcome, reference: Outcome) -> str:
    if outcome.failures:
        one = len(outcome.failures) == 1
        return "ended by name" if one else "stuck"
    if len(outcome.models) != 2:
        return "stuck"
    return "same model" if outcome.models == reference.models else "wrong model"


def _table(tally: dict[str, Counter[str]]) -> str:
    lines = [
        "| fault | jobs | " + " | ".join(COLUMNS) + " |",
        "|---|" + "---|" * (len(COLUMNS) + 1),
    ]
    total: Counter[str] = Counter()
    for name, count in tally.items():
        total.update(count)
        lines.append(_row(name, count))
    return "\n".join([*lines, _row("**all**", total)])


def _row(name: str, count: Counter[str]) -> str:
    figures = " | ".join(str(count[one]) for one in ("jobs", *COLUMNS))
    return f"| {name} | {figures} |"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=0, help="stop after so many")
    parser.add_argument("--only", action="append", default=[], help="faults whose name has this")
    parser.add_argument("--customers", type=int, default=600)
    parser.add_argument("--out", type=Path, help="the tally as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
