"""`tally bench`: how fast this machine is, and how long a given job will take."""

import json
import os
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from events.terms import Alignment, Profile
from learning.residuals import Residual
from paillier import kernel_name
from paillier.kernels import GMPY2, obstacle_to_compiling
from tallystick.aligning import AlignmentEstimate, estimate_alignment, measure_alignment
from tallystick.estimate import (
    Cost,
    JobEstimate,
    JobShape,
    Machine,
    estimate,
    groups_of,
    packing_of,
)
from tallystick.forecast import duration
from tallystick.job_file import ALIGNMENTS, OPTIMISERS
from tallystick.measuring import THOROUGH, measure_machine
from tallystick.terminal import note, say, show_table

RESIDUALS = {"default": Residual.SMOOTHED, "patent": Residual.TAYLOR}
SAMPLE = 4_096  # identifiers
STEPS = {
    "table_entry": "one entry of the encryption table",
    "table_product": "encryption, one product with an entry",
    "entering": "one ciphertext into the form of products",
    "bucket_product": "gradient, one product in joint buckets",
    "residual": "residual of one customer, without encryption",
    "vector_product": "one ciphertext added to another party's",
    "packing_square": "packing, one bit of one column",
    "decryption": "decryption of one ciphertext",
    "writing": "one ciphertext to bytes",
    "reading": "one ciphertext from bytes, checked",
    "message": "one event from log to log",
}


def bench(
    rows: Annotated[int, typer.Option(min=2, help="Customers to train on.")] = 33_600,
    customers: Annotated[
        int | None,
        typer.Option(min=2, help="Customers that every party has, to align; else those."),
    ] = None,
    features: Annotated[int, typer.Option(min=1, help="Features of every data party.")] = 20,
    bins: Annotated[int, typer.Option(min=2, max=255, help="Bins of every feature.")] = 5,
    participants: Annotated[int, typer.Option(min=1, max=64, help="Data partners.")] = 1,
    key_bits: Annotated[int, typer.Option(min=256, max=8192, help="Length of the key.")] = 2048,
    profile: Annotated[str, typer.Option(help="default or patent.")] = "default",
    ordinal: Annotated[bool, typer.Option("--ordinal", help="One column a feature.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Measure this machine, and tell how long aligning the customers and a round will take on it.

    Takes under 20 seconds. Nothing is stored and no other party is asked.
    """
    if profile not in RESIDUALS:
        raise typer.BadParameter(f"profile {profile!r} is unknown: use default or patent")
    if key_bits % 2:
        raise typer.BadParameter(f"a key of {key_bits} bits cannot have two primes of one length")
    names = ["bank", *(f"partner-{number + 1}" for number in range(participants))]
    shape = JobShape(
        rows=rows,
        bins=dict.fromkeys(names, (bins,) * features),
        residual=RESIDUALS[profile],
        maximum_rounds=OPTIMISERS["patent" if profile == "patent" else "default"].maximum_rounds,
        coding="ordinal" if ordinal else "one-hot",
    )
    cores = os.cpu_count() or 1
    note(f"measuring {kernel_name()} on {cores} cores with a key of {key_bits} bits …")
    machine = measure_machine(key_bits, shape.degree, cores, THOROUGH)
    told = estimate(shape, machine)
    aligning = Aligning.of(
        "patent" if profile == "patent" else "default", customers or rows, participants, cores
    )
    if as_json:
        document = _document(shape, machine, told) | {"alignment": aligning.document()}
        typer.echo(json.dumps(document, indent=1))
    else:
        _show(shape, machine, told, aligning)


@dataclass(frozen=True)
class Aligning:
    """The alignment of the profile, before the first round."""

    alignment: Alignment
    customers: int
    told: AlignmentEstimate

    @classmethod
    def of(cls, profile: Profile, customers: int, participants: int, cores: int) -> "Aligning":
        costs = measure_alignment(cores, min(customers, SAMPLE), THOROUGH.repeats)
        alignment = ALIGNMENTS[profile]
        told = estimate_alignment(alignment, customers, participants, costs)
        return cls(alignment, customers, told)

    def document(self) -> dict[str, object]:
        """Seconds, as in `_document`."""
        return {
            "by": self.alignment,
            "customers": self.customers,
            "parties": {name: asdict(cost) for name, cost in self.told.parties.items()},
            "apart": self.told.apart,
            "together": self.told.together,
        }


def _show(shape: JobShape, machine: Machine, told: JobEstimate, aligning: Aligning) -> None:
    bits, costs = machine.public_key.bits, machine.costs
    say(f"kernel {machine.kernel}, {machine.cores} cores, key of {bits} bits")
    if machine.kernel == GMPY2 and (obstacle := obstacle_to_compiling()):
        say(f"(not compiled: {obstacle})")
    say("cpu: seconds of all cores together; wall: by the clock, with all cores at work")
    say("")
    units = costs.items()
    show_table(
        ("microseconds", "cpu", "wall"),
        [(meaning, *_microseconds(units[name])) for name, meaning in STEPS.items()],
        right="cpu wall",
    )
    sent, received = (1e-6 / cost.wall for cost in (costs.sending, costs.receiving))
    say(f"payloads: stored and sealed at {sent:.0f} MB/s, unsealed and stored at {received:.0f}")
    say("")
    _show_job(shape, machine, told, aligning)


def _show_job(shape: JobShape, machine: Machine, told: JobEstimate, aligning: Aligning) -> None:
    local, *participants = shape.bins
    bins = shape.bins[local]
    packing = packing_of(shape, machine.public_key.bits)
    sharing = packing.rows_per_ciphertext if packing else 1
    ciphertexts = packing.ciphertexts(shape.rows) if packing else shape.rows
    groups = sharing * len(groups_of(ciphertexts, bins, machine.kernel))
    say(
        f"one round with {shape.rows:,} customers and {len(bins):,} features of {bins[0]} bins at "
        f"each of {len(participants) + 1} data parties ({shape.residual} residual, customers a "
        f"ciphertext: {sharing}; the features of each share {groups} passes)"
    )
    show_table(
        ("seconds", "cpu", "wall"),
        [(name, *_seconds(cost)) for name, cost in told.parties.items()],
        right="cpu wall",
    )
    say("")
    apart = (aligning.told.apart, told.apart, told.total_apart)
    together = (aligning.told.together, told.together, told.total_together)
    show_table(
        ("by the clock", "aligning", "round", f"{told.maximum_rounds}-rounds-at-most"),
        [
            ("a machine like this at every party", *map(duration, apart)),
            ("all parties on this one", *map(duration, together)),
        ],
        right=f"aligning round {told.maximum_rounds}-rounds-at-most",
    )
    say(f"Aligning {aligning.customers:,} customers of every party by {aligning.alignment}, once.")
    say("Assumed: nothing else runs, and parties on one machine take turns. Not counted: the")
    say("network, arithmetic in the clear, reading the data before the first round.")


def _microseconds(cost: Cost) -> tuple[str, str]:
    return f"{cost.cpu * 1e6:,.2f}", f"{cost.wall * 1e6:,.2f}"


def _seconds(cost: Cost) -> tuple[str, str]:
    return f"{cost.cpu:,.2f}", f"{cost.wall:,.2f}"


def _document(shape: JobShape, machine: Machine, told: JobEstimate) -> dict[str, object]:
    """Seconds everywhere; `cpu` of all cores together, `wall` by the clock."""
    packing = packing_of(shape, machine.public_key.bits)
    return {
        "kernel": machine.kernel,
        "cores": machine.cores,
        "key_bits": machine.public_key.bits,
        "unit_costs": {name: asdict(cost) for name, cost in machine.costs.items().items()},
        "job": {
            "training_rows": shape.rows,
            "features": {name: len(bins) for name, bins in shape.bins.items()},
            "residual": shape.residual.value,
            "rows_per_ciphertext": packing.rows_per_ciphertext if packing else 1,
            "maximum_rounds": shape.maximum_rounds,
        },
        "round": {
            "parties": {name: asdict(cost) for name, cost in told.parties.items()},
            "apart": told.apart,
            "together": told.together,
        },
        "beginning": asdict(told.beginning),
        "job_at_most": {"apart": told.total_apart, "together": told.total_together},
    }
