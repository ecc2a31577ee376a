"""A 65-feature logistic model by each engine, beside Python, over the same Parquet file (S2, S4).

python -m benchmarks.scoring --help; `pip install pandas` adds the whole table in pandas. Every
result is compared with numpy before it has figures. Engines keep their results in a table of their
own, the ways in Python write Parquet; each runs in a process of its own. `--own-servers` starts
PostgreSQL and Spark's Thrift Server here, and tells the peak of their largest process, loading
included; the memory of other servers is not counted. The tables that a server gets are dropped, the
model's few rows stay: use a database where they are in nobody's way.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any, ParamSpec, TypeVar

from benchmarks.scoring_data import Data, make_data
from benchmarks.scoring_look_ups import look_ups
from benchmarks.scoring_servers import Servers, own_servers
from benchmarks.scoring_ways import (
    Way,
    arrow_batches,
    arrow_row_groups,
    clean,
    duckdb_file,
    engine_table,
    load,
    measure,
    whole_table,
)
from scoring.engines.settings import EngineSettings
from scoring.errors import ScoringError
from tallystick.terminal import note, say, show_table

WHOLE, BATCHES, GROUPS = "pandas, whole table", "Arrow batches", "Arrow row groups"
FILES = {"duckdb": "scoring.duckdb", "sqlite": "scoring.sqlite"}
SERVERS = ("postgresql", "hive")
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Figures:
    """Medians. Loading is once and no part of scoring; None: nothing is loaded."""

    seconds: float
    rows_a_second: float
    peak_mebibytes: float
    loading_seconds: float | None
    server_mebibytes: float | None = None


def main(arguments: list[str] | None = None) -> None:
    parser = _parser()
    options = parser.parse_args(arguments)
    _check_urls(options, parser)
    if not find_spec("pandas"):
        note("pandas is not installed (pip install pandas): nothing on the whole table")
    say(
        f"65 features, logistic regression, on {os.cpu_count()} cores; medians of {options.repeats}"
    )
    sizes = []
    own = [name for name in SERVERS if options.own_servers and not getattr(options, name)]
    with own_servers(*(set(own) & set(options.engines or own))) as servers:
        engines = _engines(options, servers)
        for rows in options.rows:
            with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                try:
                    sizes.append(_one_size(Path(folder), rows, engines, servers, options))
                except ScoringError as error:
                    raise SystemExit(f"{parser.prog}: {error}") from None
    if options.out:
        result = {"cores": os.cpu_count(), "repeats": options.repeats, "sizes": sizes}
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=1) + "\n")
        note(f"all figures: {options.out}")


def _one_size(
    folder: Path,
    rows: int,
    engines: Mapping[str, EngineSettings],
    servers: Servers,
    options: argparse.Namespace,
) -> dict[str, Any]:
    try:
        data, loading = _alone(_prepare, folder, rows, engines)
        figures = _measure_all(data, engines, loading, options)
        for name in servers.settings:
            way = f"{name}, table"
            figures[way] = replace(figures[way], server_mebibytes=servers.peak(name))
    finally:
        for name in set(engines) & set(SERVERS):
            _alone(clean, folder, engines[name])
    _show(rows, figures)
    document: dict[str, Any] = {
        "rows": rows,
        "ways": {name: asdict(one) for name, one in figures.items()},
    }
    if "sqlite" in engines:
        note(f"{options.look_ups:,} single look-ups, twice")
        single = _alone(look_ups, data, FILES["sqlite"], options.look_ups)
        _show_look_ups(rows, single)
        document["single_milliseconds"] = {
            name: {"p50": p50, "p99": p99} for name, (p50, p99) in single.items()
        }
    return document


def _prepare(
    folder: Path, rows: int, engines: Mapping[str, EngineSettings]
) -> tuple[Data, dict[str, float]]:
    """The file, and how many seconds each engine took to load it."""
    note(f"{rows:,} rows: making the file")
    data, loading = make_data(folder, rows), {}
    for name, settings in engines.items():
        note(f"{name}: loading the features")
        loading[name] = load(data, settings)
    return data, loading


def _measure_all(
    data: Data,
    engines: Mapping[str, EngineSettings],
    loading: Mapping[str, float],
    options: argparse.Namespace,
) -> dict[str, Figures]:
    """All ways, as often as asked, in another order each time.

    What else the machine does falls on all of them, and so does what a way leaves behind.
    """
    whole = find_spec("pandas") and not options.no_pandas
    ways: dict[str, Way] = {WHOLE: whole_table} if whole else {}
    ways |= {BATCHES: arrow_batches, GROUPS: arrow_row_groups}
    for name, settings in engines.items():
        if name == "duckdb":
            ways["duckdb, Parquet file"] = partial(duckdb_file, settings)
        ways[f"{name}, table"] = partial(engine_table, settings, FILES.get(name))
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    order = Random(0)
    for _ in range(options.repeats):
        for name in order.sample(list(ways), len(ways)):
            note(f"{name}: scoring")
            measured[name].append(_alone(measure, ways[name], data))
    figures = {}
    for name, runs in measured.items():
        seconds, peak = (statistics.median(values) for values in zip(*runs, strict=True))
        loaded = loading.get(name.removesuffix(", table"))
        figures[name] = Figures(seconds, data.rows / seconds, peak, loaded)
    return figures


def _alone(
    function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """In a process of its own, whose peak of memory is nobody else's."""
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawning) as process:
        return process.submit(function, *args, **kwargs).result()


def _show(rows: int, figures: Mapping[str, Figures]) -> None:
    fair = min(figures[BATCHES], figures[GROUPS], key=lambda one: one.seconds)
    bases = {"pandas=1": figures.get(WHOLE), "Arrow=1": fair}
    lines = [
        (
            name,
            "-" if one.loading_seconds is None else f"{one.loading_seconds:.1f}",
            f"{one.seconds:.2f}",
            f"{one.rows_a_second:,.0f}",
            f"{one.peak_mebibytes:,.0f}",
            "-" if one.server_mebibytes is None else f"{one.server_mebibytes:,.0f}",
            *(
                "-" if base is None else f"{base.seconds / one.seconds:.2f}"
                for base in bases.values()
            ),
        )
        for name, one in figures.items()
    ]
    say(f"\n{rows:,} rows; how many times as fast as pandas, as the faster of Arrow")
    headings = ("by", "loading", "seconds", "rows/s", "MiB", "server MiB", *bases)
    show_table(headings, lines, right=" ".join(headings[1:]))


def _show_look_ups(rows: int, single: Mapping[str, tuple[float, float]]) -> None:
    lines = [(name, f"{p50:.3f}", f"{p99:.3f}") for name, (p50, p99) in single.items()]
    say(f"\none sample of {rows:,}, milliseconds")
    show_table(("by", "p50", "p99"), lines, right="p50 p99")


def _check_urls(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    for name in set(options.engines or ()) & set(SERVERS):
        if not options.own_servers and not getattr(options, name):
            parser.error(f"where is {name}? give --{name} URL, or --own-servers")


def _engines(options: argparse.Namespace, servers: Servers) -> dict[str, EngineSettings]:
    """Those asked for, or all that there are."""
    known = {name: EngineSettings(url=f"{name}:///{file}") for name, file in FILES.items()}
    if options.postgresql:
        known["postgresql"] = EngineSettings(url=options.postgresql)
    if options.hive:
        known["hive"] = EngineSettings(url=options.hive, warehouse=options.warehouse)
    known |= servers.settings
    return {name: known[name] for name in options.engines or known}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.scoring", description=__doc__)
    add = parser.add_argument
    add("--rows", type=int, nargs="+", default=[1_000_000])
    add("--engines", nargs="+", choices=[*FILES, *SERVERS], help="default: all that have a URL")
    add("--postgresql", metavar="URL", help="postgresql://USER:${PASSWORD}@HOST/DATABASE")
    add("--hive", metavar="URL", help="hive://USER@HOST:10000/DATABASE")
    add("--warehouse", type=Path, help="a folder that Hive reaches too: without it, loading crawls")
    add("--own-servers", action="store_true", help="start the servers that have no URL")
    add("--no-pandas", action="store_true", help="leave out the whole table: 1.7 KB a row")
    add("--repeats", type=int, default=1)
    add("--look-ups", type=int, default=10_000, help="of single samples, in SQLite")
    add("--folder", type=Path, help="on a disk with room for 3 KB a row")
    add("--out", type=Path, help="write all figures to this JSON file")
    return parser


if __name__ == "__main__":
    main()
