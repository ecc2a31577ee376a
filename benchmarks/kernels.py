"""`make bench`: every step and the whole round, by kernel, beside other software, in one run.

python -m benchmarks.kernels --help
"""

import argparse
import json
import os
import platform
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.other_software import OtherCosts, heu_costs, phe_costs
from benchmarks.whole_round import Residuals, RoundFigures, encrypted_residuals, kernel, whole_round
from benchmarks.workload import Workload
from learning.residuals import Residual
from paillier import PrivateKey, SamplePacking, generate_key_pair
from paillier.kernels import COMPILED, GMPY2, obstacle_to_compiling
from tallystick.measuring import THOROUGH, Look, measure_machine
from tallystick.terminal import note, say, show_table

PROFILES = {"patent": Residual.TAYLOR, "default": Residual.SMOOTHED}
# By kernel, kind and how customers share ciphertexts: what they cost is counted in every round.
KnownResiduals = dict[tuple[str, Residual, SamplePacking | None], Residuals]
CODINGS = ("ordinal", "one-hot")
SMALL = Look(
    values=16,
    window=3,
    bucket_rows=32,
    decryptions=2,
    payload_bytes=4_096,
    messages=1,
    repeats=1,
)


def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    kernels = [name for name in options.kernels if name == GMPY2 or not obstacle_to_compiling()]
    if len(kernels) < len(options.kernels):
        note(f"without the compiled kernel: {obstacle_to_compiling()}")
    document: dict[str, Any] = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"processor": _processor(), "cores": os.cpu_count()},
        "threads": options.threads,
        "steps": [],
        "rounds": [],
    }
    for bits in options.bits:
        _steps(bits, kernels, document)
        _rounds(bits, kernels, options, document)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(document, indent=1) + "\n")
        note(f"all figures: {options.out}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.kernels", description=__doc__)
    add = parser.add_argument
    add("--rows", type=int, default=66_274, help="customers, all of them run")
    add("--features", type=int, nargs="+", default=[65, 3_000])
    add("--columns-run", type=int, default=65, help="so many features are run, the others scaled")
    add("--full", action="store_true", help="run all features, scale nothing")
    add("--bins", type=int, default=5)
    add("--bits", type=int, nargs="+", default=[2048, 3072])
    add("--kernels", nargs="+", choices=[GMPY2, COMPILED], default=[GMPY2, COMPILED])
    add("--profiles", nargs="+", choices=list(PROFILES), default=list(PROFILES))
    add("--codings", nargs="+", choices=CODINGS, default=list(CODINGS))
    add("--threads", type=int, default=1, help="the round's; steps are shown with 1 and all cores")
    add("--without-others", action="store_true", help="neither phe nor HEU")
    add("--out", type=Path, help="where the JSON goes")
    return parser


def _steps(bits: int, kernels: list[str], document: dict[str, Any]) -> None:
    """Unit costs of every kernel, with one thread and with all cores."""
    cores = os.cpu_count() or 1
    look = SMALL if bits < 2048 else THOROUGH
    measured = {}
    for name in kernels:
        for threads in sorted({1, cores}):
            note(f"{bits} bits, {name}, {threads} threads: steps")
            with kernel(name):
                machine = measure_machine(bits, 2, threads, look)
            measured[f"{name}-{threads}"] = machine.costs.items()
            document["steps"].append(
                {
                    "key_bits": bits,
                    "kernel": name,
                    "threads": threads,
                    "seconds": {step: asdict(one) for step, one in machine.costs.items().items()},
                }
            )
    say(f"\nsteps, {bits}-bit key: microseconds by the clock; kernel-threads")
    steps = next(iter(measured.values()))
    rows = [
        (step, *(f"{costs[step].wall * 1e6:,.3f}" for costs in measured.values())) for step in steps
    ]
    show_table(("step", *measured), rows, right=" ".join(measured))


def _rounds(
    bits: int, kernels: list[str], options: argparse.Namespace, document: dict[str, Any]
) -> None:
    others = {} if options.without_others else _others(bits)
    private_key = generate_key_pair(bits, minimum_bits=min(bits, 2048))
    residuals: KnownResiduals = {}
    for profile in options.profiles:
        for coding in options.codings:
            work = Workload(options.rows, options.bins, PROFILES[profile], coding)
            for figures in _rounds_of(private_key, work, kernels, residuals, options):
                _show_round(bits, profile, work, figures, others)
                document["rounds"].append(_record(bits, profile, work, figures, others))


def _rounds_of(
    private_key: PrivateKey,
    work: Workload,
    kernels: list[str],
    residuals: KnownResiduals,
    options: argparse.Namespace,
) -> Iterator[dict[str, RoundFigures]]:
    """By kernel, for one number of features after the other."""
    bits = private_key.public.bits
    for features in options.features:
        run = features if options.full else min(features, options.columns_run)
        packing, figures = work.packing(features, bits), {}
        for name in kernels:
            known = name, work.residual, packing
            with kernel(name):
                if known not in residuals:
                    note(f"{bits} bits, {name}: {work.residual} residuals, {work.rows:,} customers")
                    residuals[known] = encrypted_residuals(
                        private_key, work, packing, options.threads
                    )
                note(f"{name}: gradient of {run} of {features:,} {work.coding} features")
                figures[name] = whole_round(
                    private_key,
                    work,
                    residuals[known],
                    features,
                    run,
                    name,
                    options.threads,
                )
        yield figures


def _others(bits: int) -> dict[str, OtherCosts]:
    note(f"{bits} bits: phe and HEU")
    others = {"phe": phe_costs(bits)}
    heu = heu_costs(bits)
    if heu is None:
        note("HEU is not installed (pip install sf-heu): no column for it")
    return others if heu is None else others | {"HEU": heu}


def _show_round(
    bits: int,
    profile: str,
    work: Workload,
    figures: dict[str, RoundFigures],
    others: dict[str, OtherCosts],
) -> None:
    first = next(iter(figures.values()))
    scaled = (
        f"; {first.features_run} features were run, the rest of the gradient, packing and "
        "decryption is scaled"
        if first.features_run < first.features
        else ""
    )
    say(
        f"\none round, {work.rows:,} customers x {first.features:,} {work.coding} features of "
        f"{work.bins} bins, {bits}-bit key, {profile} profile, customers a ciphertext: "
        f"{first.rows_per_ciphertext}; CPU seconds of all parties{scaled}"
    )
    rows = [
        (stage, *(f"{one.stages[stage].cpu:.2f}" for one in figures.values()))
        for stage in first.stages
    ]
    rows.append(("whole round", *(f"{one.total.cpu:.2f}" for one in figures.values())))
    rows.append(("by the clock", *(f"{one.total.wall:.2f}" for one in figures.values())))
    for name, costs in others.items():
        seconds = costs.round_seconds(work, first.features)
        ratios = (f"x {seconds / one.total.cpu:.1f}" for one in figures.values())
        rows.append((f"{name}: {seconds:,.0f} s (unit costs x counts)", *ratios))
    rows.append(("once a job: table", *(f"{one.table.cpu:.2f}" for one in figures.values())))
    show_table(("stage", *figures), rows, right=" ".join(figures))


def _record(
    bits: int,
    profile: str,
    work: Workload,
    figures: dict[str, RoundFigures],
    others: dict[str, OtherCosts],
) -> dict[str, Any]:
    first = next(iter(figures.values()))
    return {
        "key_bits": bits,
        "profile": profile,
        "rows": work.rows,
        "features": first.features,
        "features_run": first.features_run,
        "coding": work.coding,
        "rows_per_ciphertext": first.rows_per_ciphertext,
        "ciphertexts_decrypted": first.ciphertexts_decrypted,
        "kernels": {
            name: {
                "stages": {stage: asdict(cost) for stage, cost in one.stages.items()},
                "total": asdict(one.total),
                "table_once_a_job": asdict(one.table),
            }
            for name, one in figures.items()
        },
        "others_cpu_seconds": {
            name: costs.round_seconds(work, first.features) for name, costs in others.items()
        },
        "others_unit_costs": {name: asdict(costs) for name, costs in others.items()},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
