"""A whole training at the source's size (P6): three parties, their processes, one RabbitMQ.

`python -m benchmarks.full_size` makes the data, lets the parties run as `tally party run` does and
asks for the job with `tally train`; then it compares every parameter of every round with the plain
numpy replica, and tells what the run took.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.figures import BROKER, figures, show
from benchmarks.process_figures import ProcessWatch
from benchmarks.replica_check import compare_with_replica, pooled_auc
from benchmarks.wide_data import write_tables
from events.vocabulary import Role
from party.creating import create_party
from party.opening import open_party, party_card, trust
from tests.brokers import PrivateBroker, private_broker

JOB = "full-size"
ROLES = {"bank": Role.LOCAL, "partner": Role.PARTICIPANT, "arbiter": Role.ARBITER}
MOST_ROUNDS, TRAINED_SHARE = 12, 0.8
TOLD = ("rows", "bank", "partner", "key_bits", "alignment", "backend", "seed")
START_SECONDS, STOP_SECONDS, STOP_SIGNAL = 120, 60, 2


def main() -> None:
    options = _options()
    with ExitStack() as stack:
        folder = options.folder
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="full-size-")))
        folder.mkdir(parents=True, exist_ok=True)
        broker = None if options.broker else stack.enter_context(private_broker())
        say_aside(f"writing {options.rows:,} customers")
        write_tables(folder, options.rows, options.bank, options.partner, options.seed)
        _set_up(folder, options, options.broker or str(broker and broker.amqp_url))
        result = _train(folder, broker)
        result["options"] = {name: getattr(options, name) for name in TOLD}
        say_aside("training the plain replica")
        parties = {name: open_party(folder / name) for name in ROLES}
        for party in parties.values():
            stack.callback(party.close)
        compared = compare_with_replica(parties, JOB)
        result["equals_replica"] = compared.equal and compared.rounds == result["rounds"]
        if options.reference:
            say_aside("training the pooled reference")
            result["auc"]["pooled reference"] = round(pooled_auc(parties, JOB), 6)
    show(result)
    if options.out is not None:
        options.out.write_text(json.dumps(result, indent=1) + "\n")
    if not result["equals_replica"]:
        sys.exit("the model is not the plain replica's")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rows", type=int, default=66_274, help="customers")
    parser.add_argument("--bank", type=int, default=65, help="variables of the bank")
    parser.add_argument("--partner", type=int, default=3_000, help="variables of the partner")
    parser.add_argument("--key-bits", type=int, default=2048)
    parser.add_argument("--alignment", choices=("psi", "hash"), default="psi")
    parser.add_argument("--backend", choices=("threads", "loky", "dask"), default="threads")
    parser.add_argument("--address", help="of a Dask scheduler, for --backend dask")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--broker", help="amqp://…; a private RabbitMQ of its own unless given")
    parser.add_argument("--folder", type=Path, help="where the parties are kept, for a look later")
    parser.add_argument("--out", type=Path, help="the figures as JSON")
    parser.add_argument(
        "--no-reference",
        dest="reference",
        action="store_false",
        help="leave out scikit-learn on the pooled rows (minutes, and gigabytes)",
    )
    return parser.parse_args()


def _set_up(folder: Path, options: argparse.Namespace, broker: str) -> None:
    """Parties with their data, and a job that states the leak budget it needs."""
    equations = MOST_ROUNDS * (options.partner + 1) / (TRAINED_SHARE * options.rows)
    budget = max(0.5, round(1.05 * equations, 2))
    for name, role in ROLES.items():
        source = f'[source]\nfile = "{(folder / name).absolute()}.parquet"\n' * (name != "arbiter")
        policy = f"[policy]\nleak_budget = {budget}\n"
        if options.key_bits < 2048:
            policy += "accept_short_keys = true\n"
        compute = f'[compute]\nbackend = "{options.backend}"\n'
        if options.address is not None:
            compute += f'address = "{options.address}"\n'
        create_party(folder / name, role, name, broker=broker, tables=source + compute + policy)
        (folder / f"{name}.card").write_text(party_card(folder / name).model_dump_json())
    for name in ROLES:
        trust(folder / name, *(folder / f"{other}.card" for other in ROLES if other != name))
    short = str(options.key_bits < 2048).lower()
    (folder / "job.toml").write_text(
        'local = "bank"\nparticipants = ["partner"]\narbiter = "arbiter"\ncoding = "ordinal"\n'
        f'alignment = "{options.alignment}"\nleak_budget = {budget}\n'
        f"key_bits = {options.key_bits}\nshort_key_for_tests = {short}\n"
    )


def _train(folder: Path, broker: PrivateBroker | None) -> dict[str, Any]:
    with parties_at_work(folder, list(ROLES)) as processes:
        begun = time.time()
        command = [sys.executable, "-m", "tallystick", "train", "job.toml", "--as", "bank"]
        train = subprocess.Popen([*command, "--job", JOB, "--json"], cwd=folder, stdout=-1)
        with ProcessWatch({**processes, "tally train": train.pid}) as watch:
            document, _ = train.communicate()
            ended = time.time()
            time.sleep(2)  # for the last acknowledgements, and one look more
            traffic = _octets(broker) if broker else {}
    if train.returncode:
        sys.exit("the training failed; what the parties said is in the folder")
    arithmetic = {
        name: json.loads((folder / f"{name}.arithmetic.json").read_text()) for name in ROLES
    }
    facts = json.loads(document)
    return figures(folder, JOB, facts, watch, arithmetic, (begun, ended)) | {BROKER: traffic}


@contextmanager
def parties_at_work(folder: Path, names: Sequence[str]) -> Iterator[Mapping[str, int]]:
    """Process ids by party, once all of them run; stopped as a person would stop them."""
    with ExitStack() as stack:
        processes = {}
        for name in names:
            output = stack.enter_context((folder / f"{name}.out").open("wb"))
            command = [sys.executable, "-m", "benchmarks.timed_party", str(folder / name)]
            processes[name] = subprocess.Popen(
                [*command, str(folder / f"{name}.arithmetic.json")], stderr=output
            )
            stack.callback(_stop, processes[name])
        give_up = time.monotonic() + START_SECONDS
        for name, process in processes.items():
            while "running" not in (told := (folder / f"{name}.out").read_text()):
                if process.poll() is not None or time.monotonic() > give_up:
                    sys.exit(f"{name} does not run:\n{told}")
                time.sleep(0.2)
        yield {name: process.pid for name, process in processes.items()}


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(STOP_SIGNAL)
    process.wait(STOP_SECONDS)


def _octets(broker: PrivateBroker) -> dict[str, int]:
    """Bytes into and out of the broker, as it counts them itself."""
    lines = broker.control("list_connections", "recv_oct", "send_oct").splitlines()
    counts = [tuple(map(int, line.split())) for line in lines if line.replace("\t", "").isdigit()]
    return {
        "bytes in": sum(received for received, _ in counts),
        "bytes out": sum(sent for _, sent in counts),
    }


def say_aside(text: str) -> None:
    print(f"{text} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
