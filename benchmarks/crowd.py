"""`python -m benchmarks.crowd --jobs 100`: many small jobs at once between the same three parties.

Three `tally party run` over RabbitMQ, the partner's log on PostgreSQL. One job runs alone first;
then all are asked for at once. Each must have its model, to the bit, and no log may lack an event.
How evenly they go on is read from the arbiter's log: how many rounds the job that is furthest has
before the one that is least far, and when the first and the last model were there. With `--flood`
an attacker sends so many messages of garbage a second all the while.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.flood import ATTACKER, Flood, garbage
from benchmarks.process_figures import ProcessWatch
from benchmarks.soak.federation import NAMES, Federation, Outcome
from bus.topology import dead_queue_name
from events.lifecycle import TrainingFailed, TrainingRequested, TrainingStopped
from events.models import ModelSaved
from events.rounds import RoundCompleted
from events.vocabulary import Frozen
from store.log import Log
from tallystick.terminal import note, say, show_table
from tests.brokers import private_broker
from tests.databases import restartable_postgres

PATIENCE_SECONDS = 1800.0
PAGE = 1000
ENDS = (TrainingStopped.type_name(), TrainingFailed.type_name())


class Tally(Frozen):
    """What became of the jobs; times in seconds since the last one was asked for."""

    jobs: int
    same_model: int
    ended_by_name: int
    wrong_model: int
    stuck: int
    lost_events: int
    alone_seconds: float
    asking_seconds: float
    first_model: float
    median_model: float
    last_model: float
    widest_round_gap: int
    events: int
    peak_megabytes: dict[str, int]
    garbage_a_second: int = 0
    garbage: int = 0
    refused: Mapping[str, int] = {}
    dead_letters: Mapping[str, int] = {}
    output_kilobytes: Mapping[str, int] = {}


def main() -> None:
    options = _options()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tallystick-crowd-")))
        broker = stack.enter_context(private_broker(ATTACKER))
        postgres = stack.enter_context(restartable_postgres())
        allowed = f"intersections_per_day = {options.jobs + 2}\n"
        federation = Federation(folder, options.customers, broker, postgres, allowed)
        stack.callback(federation.stop)
        for name in NAMES:
            federation.start(name)
        with ProcessWatch(federation.process_ids) as watch:
            tally = run(federation, options.jobs, options.flood, watch)
    show(tally)
    if options.out is not None:
        options.out.write_text(tally.model_dump_json(indent=1) + "\n")
    raise SystemExit(0 if tally.same_model == tally.jobs and not tally.lost_events else 1)


def run(federation: Federation, count: int, rate: int, watch: ProcessWatch) -> Tally:
    federation.request("warm-up")
    federation.outcome("warm-up", PATIENCE_SECONDS)
    began = time.monotonic()
    federation.request("alone")
    alone = federation.outcome("alone", PATIENCE_SECONDS)
    alone_seconds = time.monotonic() - began
    note(f"one job alone: {alone_seconds:.1f} s")
    jobs = [f"crowd-{number:03d}" for number in range(count)]
    attack = flood_of(federation, rate) if rate else None
    with attack or nullcontext():
        began, asked_at = time.monotonic(), time.time()
        for job in jobs:
            federation.request(job)
        asking = time.monotonic() - began
        note(f"{count} jobs asked for in {asking:.1f} s")
        outcomes = {job: federation.outcome(job, PATIENCE_SECONDS) for job in jobs}
    verdicts = Counter(verdict(outcome, alone) for outcome in outcomes.values())
    with federation.opened("arbiter") as arbiter:
        gap = widest_round_gap(arbiter.log, jobs)
    with federation.opened("bank") as bank:
        ended = sorted(one - asked_at - asking for one in models_at(bank.log, jobs).values())
        events = bank.log.head()
    return Tally(
        jobs=count,
        same_model=verdicts["same model"],
        ended_by_name=verdicts["ended by name"],
        wrong_model=verdicts["wrong model"],
        stuck=verdicts["stuck"],
        lost_events=sum(outcome.lost for outcome in outcomes.values()),
        alone_seconds=round(alone_seconds, 1),
        asking_seconds=round(asking, 1),
        first_model=round(min(ended, default=0.0), 1),
        median_model=round(median(ended), 1) if ended else 0.0,
        last_model=round(max(ended, default=0.0), 1),
        widest_round_gap=gap,
        events=events,
        peak_megabytes=peaks(watch),
        **(damage(federation, attack) if attack else {}),
    )


def flood_of(federation: Federation, rate: int) -> Flood:
    """By an attacker that knows all genuine messages of the job before."""
    with federation.opened("bank") as bank:
        before = [entry for entry in bank.log.job("alone") if not entry.envelope.is_private]
    broker = federation.broker
    urls = {ATTACKER: broker.url_of(ATTACKER), "": broker.amqp_url}
    return Flood(urls, NAMES, garbage(before, NAMES), rate)


def damage(federation: Federation, attack: Flood) -> dict[str, Any]:
    """What is left of a flood: counted, set aside, said."""
    refused, told = {}, {}
    for name in NAMES:
        with federation.opened(name) as party:
            refused[name] = sum(refusal.count for refusal in party.log.refusals())
        told[name] = (federation.folder / f"{name}.out").stat().st_size >> 10
    listed = federation.broker.control("list_queues", "-p", "tallystick", "name", "messages", "-s")
    depths = dict(line.split() for line in listed.splitlines())
    dead = {name: int(depths[dead_queue_name(name)]) for name in NAMES}
    return {
        "garbage_a_second": round(attack.rate),
        "garbage": attack.sent,
        "refused": refused,
        "dead_letters": dead,
        "output_kilobytes": told,
    }


def verdict(outcome: Outcome, reference: Outcome) -> str:
    if outcome.failures:
        return "ended by name"
    if len(outcome.models) != len(reference.models):
        return "stuck"
    return "same model" if outcome.models == reference.models else "wrong model"


def widest_round_gap(log: Log, jobs: Sequence[str]) -> int:
    """By how many rounds any job was ever ahead of another that was asked for and had not ended."""
    rounds: dict[str, int] = {}
    widest = 0
    for job, kind in _said(log):
        if job not in jobs:
            continue
        if kind == TrainingRequested.type_name():
            rounds[job] = 0
        elif kind == RoundCompleted.type_name():
            rounds[job] += 1
            widest = max(widest, rounds[job] - min(rounds.values()))
        elif kind in ENDS:
            rounds.pop(job, None)
    return widest


def models_at(log: Log, jobs: Sequence[str]) -> dict[str, float]:
    """When each job's model was saved at the party whose log this is, in seconds since 1970."""
    known = set(jobs)
    return {
        str(entry.envelope.stream): datetime.fromisoformat(entry.envelope.time).timestamp()
        for entry in log.said_since("bank", ModelSaved.type_name(), "")
        if entry.envelope.stream in known
    }


def _said(log: Log) -> Iterator[tuple[str, str]]:
    """Stream and type of everything, in order."""
    position = 0
    while places := log.places(position, PAGE):
        position = places[-1].position
        yield from ((place.stream, place.type) for place in places)


def peaks(watch: ProcessWatch) -> dict[str, int]:
    """Resident megabytes of each party's largest process."""
    largest: dict[str, int] = {}
    for (name, _), size in watch.peak.items():
        largest[name] = max(largest.get(name, 0), size >> 20)
    return largest


def show(tally: Tally) -> None:
    rows = [
        (name.replace("_", " "), json.dumps(value) if isinstance(value, dict) else f"{value:,}")
        for name, value in tally.model_dump().items()
    ]
    show_table(("what", "figure"), rows, right="figure")
    say(f"{tally.jobs} at once took {tally.last_model / tally.alone_seconds:.1f} times one alone")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--customers", type=int, default=400)
    parser.add_argument("--flood", type=int, default=0, help="messages of garbage a second")
    parser.add_argument("--out", type=Path, help="the tally as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
