"""Where the time goes when Spark's Thrift Server scores 65 features: a step more at a time (S7).

    python -m benchmarks.scoring_spark --rows 1000000

Starts a server of its own. Every line does what the line before does and something besides, so the
difference of two lines is the price of one step; the last reads the table of scores that was made.
CPU seconds of the server's process and of the client's own tell which of them was at work.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlglot import exp

from benchmarks.process_figures import LOOK_SECONDS
from benchmarks.scoring_data import CHANCE, FEATURES, MODEL_ID, make_data
from benchmarks.scoring_servers import Servers, own_servers
from benchmarks.scoring_ways import FEATURE_TABLE, SCORE_TABLE, all_scores, chances, load
from scoring.engines.engine import Engine
from scoring.engines.opening import open_engine
from scoring.features import SAMPLE_ID, column
from scoring.model_tables import ModelTables
from tallystick.terminal import note, say, show_table


@dataclass(frozen=True)
class Step:
    """Medians; CPU seconds of the server, and of this process."""

    step: str
    seconds: float
    server_cpu: float
    client_cpu: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.scoring_spark", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3, help="after a first time for warmth")
    parser.add_argument("--folder", type=Path, help="on a disk with room for 2 KB a row")
    parser.add_argument("--out", type=Path, help="write all figures to this JSON file")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(dir=options.folder) as folder,
        own_servers("hive") as servers,
    ):
        note(f"{options.rows:,} rows: making the file")
        data = make_data(Path(folder), options.rows)
        loading = load(data, servers.settings["hive"])
        with open_engine(servers.settings["hive"]) as engine:
            engine.ensure(SCORE_TABLE)
            steps = [_measured(name, run, servers, options.repeats) for name, run in _steps(engine)]
    say(f"{options.rows:,} rows x 65, Spark's Thrift Server, {os.cpu_count()} cores")
    _show(steps)
    if options.out:
        figures = [asdict(step) for step in steps]
        document = {"rows": options.rows, "cores": os.cpu_count(), "loading_seconds": loading}
        options.out.write_text(json.dumps(document | {"steps": figures}, indent=1) + "\n")


def _steps(engine: Engine) -> Sequence[tuple[str, Callable[[], object]]]:
    place = exp.table_(FEATURE_TABLE.name, quoted=True)
    features = exp.select(column(SAMPLE_ID), *map(column, FEATURES)).from_(place)
    scores = chances(ModelTables(engine).score_query(MODEL_ID, features), engine)
    nothing = scores.copy().where(exp.false())
    read = exp.select(*(exp.Sum(this=column(name)) for name in FEATURES)).from_(place.copy())
    scored = exp.select(exp.Sum(this=column(CHANCE))).from_(scores.copy().subquery("scores"))
    return (
        ("a statement without a table", lambda: engine.rows(exp.select("1"))),
        ("a table of no rows swapped", lambda: engine.replace_query(SCORE_TABLE, nothing)),
        ("all columns read and added", lambda: engine.rows(read)),
        ("scores made and added", lambda: engine.rows(scored)),
        ("scores made and written", lambda: engine.replace_query(SCORE_TABLE, scores)),
        (
            "scores read by the client",
            lambda: sum(one.num_rows for one in engine.stream(all_scores())),
        ),
    )


def _measured(name: str, run: Callable[[], object], servers: Servers, repeats: int) -> Step:
    note(name)
    run()
    figures = []
    for _ in range(repeats):
        time.sleep(2 * LOOK_SECONDS)  # the watch looks at moments
        began, clock, own = time.time(), time.perf_counter(), time.process_time()
        run()
        seconds, client = time.perf_counter() - clock, time.process_time() - own
        ended = time.time()
        time.sleep(2 * LOOK_SECONDS)
        figures.append((seconds, servers.watch.cpu_between(began, ended + LOOK_SECONDS), client))
    return Step(name, *(statistics.median(values) for values in zip(*figures, strict=True)))


def _show(steps: Sequence[Step]) -> None:
    lines = [
        (one.step, f"{one.seconds:.2f}", f"{one.server_cpu:.1f}", f"{one.client_cpu:.1f}")
        for one in steps
    ]
    headings = ("step", "seconds", "server CPU s", "client CPU s")
    show_table(headings, lines, right=" ".join(headings[1:]))


if __name__ == "__main__":
    main()
