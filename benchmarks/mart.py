"""The data mart at the source's width (A1, P6): contributing, loading, delivering, and one round.

`python -m benchmarks.mart` makes the data, lets a member contribute 3,000 columns of 66,274
customers and the mart load them, each by its command in a process of its own; then four parties
train one round over a RabbitMQ, and every parameter is compared with the plain numpy replica.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from benchmarks.full_size import parties_at_work, say_aside
from benchmarks.process_figures import ProcessWatch
from benchmarks.replica_check import compare_with_replica
from benchmarks.wide_data import write_tables
from events.event import Event
from events.lifecycle import TrainingRequested, TrainingStopped
from events.mart import FeaturesDelivered, IdentifiersMatched
from events.preparation import FeaturesPrepared
from events.vocabulary import Role
from handlers.history import History
from party.creating import create_party
from party.jobs import job_history
from party.opening import Party, open_party, party_card, trust
from tallystick.terminal import say, show_table
from tests.brokers import private_broker

JOB = "mart-size"
ROLES = {
    "bank": Role.LOCAL,
    "partner": Role.PARTICIPANT,
    "arbiter": Role.ARBITER,
    "mart": Role.MART,
}
STEPS: tuple[tuple[str, type[Event]], ...] = (
    ("matched and delivered", FeaturesDelivered),
    ("the bank heard of it", IdentifiersMatched),
    ("binned at both", FeaturesPrepared),
    ("one round", TrainingStopped),
)
MEBIBYTE, KIBIBYTE = 1 << 20, 1 << 10


@dataclass(frozen=True)
class Taken:
    """What one process took."""

    what: str
    seconds: float
    cpu_seconds: float
    peak_mebibytes: float


def main() -> None:
    options = _options()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mart-size-")))
        broker = stack.enter_context(private_broker())
        say_aside(f"writing {options.rows:,} customers")
        write_tables(folder, options.rows, options.bank, options.columns, seed=1)
        _set_up(folder, options, broker.amqp_url)
        taken = _contribute_and_load(folder)
        with parties_at_work(folder, list(ROLES)) as processes:
            begun = time.time()
            command = ["train", "job.toml", "--as", "bank", "--job", JOB]
            train = subprocess.Popen([sys.executable, "-m", "tallystick", *command], cwd=folder)
            with ProcessWatch({**processes, "tally train": train.pid}) as watch:
                if train.wait():
                    sys.exit("the training failed; what the parties said is above")
            taken += _of_parties(watch, time.time() - begun)
        parties = {name: stack.enter_context(_opened(folder / name)) for name in ROLES}
        steps = _steps(job_history(parties["bank"].log, JOB))
        data = {name: parties[name] for name in ("bank", "partner", "arbiter")}
        if not compare_with_replica(data, JOB).equal:
            sys.exit("the model is not the plain replica's")
    _show(taken, steps)
    if options.out is not None:
        document = {"processes": [asdict(one) for one in taken], "seconds since": steps}
        options.out.write_text(json.dumps(document, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.mart", description=__doc__)
    parser.add_argument("--rows", type=int, default=66_274, help="customers")
    parser.add_argument("--bank", type=int, default=65, help="variables of the bank")
    parser.add_argument("--columns", type=int, default=3_000, help="columns in the mart")
    parser.add_argument("--key-bits", type=int, default=2048)
    parser.add_argument("--out", type=Path, help="the figures as JSON")
    return parser.parse_args()


def _set_up(folder: Path, options: argparse.Namespace, broker: str) -> None:
    """The partner has no data of its own: the mart brings it."""
    sources = {
        "bank": f'[source]\nfile = "{(folder / "bank").absolute()}.parquet"\n',
        "mart": '[source]\nfile = "contributions.parquet"\nid = "handle"\n',
    }
    short = options.key_bits < 2048
    policy = "[policy]\naccept_short_keys = true\n" if short else ""
    for name, role in ROLES.items():
        tables = sources.get(name, "") + policy
        create_party(folder / name, role, name, broker=broker, tables=tables)
        (folder / f"{name}.card").write_text(party_card(folder / name).model_dump_json())
    for name in ROLES:
        trust(folder / name, *(folder / f"{other}.card" for other in ROLES if other != name))
    (folder / "job.toml").write_text(
        'local = "bank"\nparticipants = ["partner"]\narbiter = "arbiter"\nmart = "mart"\n'
        f'coding = "ordinal"\nalignment = "mart"\nkey_bits = {options.key_bits}\n'
        f"short_key_for_tests = {str(short).lower()}\n[optimiser]\nmaximum_rounds = 1\n"
    )


def _contribute_and_load(folder: Path) -> list[Taken]:
    """By the commands that a member and the mart would use."""
    key = folder / "bank" / "keys" / "mart.key"
    _run(folder, "tally mart key", ["mart", "key", str(key)])
    written = ["--key", str(key), "--out", "contribution.parquet"]
    contributed = _run(
        folder, "tally mart contribute", ["mart", "contribute", "partner.parquet", *written]
    )
    (folder / "partner.parquet").unlink()
    loaded = _run(
        folder, "tally mart load", ["mart", "load", "contribution.parquet", "--as", "mart"]
    )
    return [contributed, loaded]


def _run(folder: Path, what: str, arguments: Sequence[str]) -> Taken:
    """One command, and what the kernel says it took."""
    begun = time.time()
    process = subprocess.Popen(
        [sys.executable, "-m", "tallystick", *arguments], cwd=folder, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{what} failed")
    cpu = usage.ru_utime + usage.ru_stime
    seconds = round(time.time() - begun, 1)
    return Taken(what, seconds, round(cpu, 1), round(usage.ru_maxrss / KIBIBYTE, 1))


def _of_parties(watch: ProcessWatch, seconds: float) -> list[Taken]:
    """Every process, the largest of a party first."""
    return [
        Taken(name, round(seconds, 1), round(watch.cpu[name, one], 1), round(peak / MEBIBYTE, 1))
        for (name, one), peak in sorted(watch.peak.items(), key=lambda item: (item[0][0], -item[1]))
    ]


def _opened(path: Path) -> closing[Party]:
    return closing(open_party(path))


def _steps(history: History) -> dict[str, float]:
    """Seconds from the request to the last of each kind of event, by the log's own times."""
    begun = datetime.fromisoformat(history.one(TrainingRequested).envelope.time)
    return {
        what: round(
            max(
                (datetime.fromisoformat(one.envelope.time) - begun).total_seconds()
                for one in history.of(kind)
            ),
            1,
        )
        for what, kind in STEPS
    }


def _show(taken: Sequence[Taken], steps: dict[str, float]) -> None:
    rows = [
        (one.what, f"{one.seconds:.0f}", f"{one.cpu_seconds:.0f}", f"{one.peak_mebibytes:,.0f}")
        for one in taken
    ]
    show_table(("process", "seconds", "CPU", "MiB at most"), rows, right="seconds CPU")
    for what, seconds in steps.items():
        say(f"{seconds:8.1f} s after the request: {what}")


if __name__ == "__main__":
    main()
