"""One demo run: build the federation, train, watch, and sum up."""

import time
from collections.abc import Callable, Mapping

from events.lifecycle import WorkFailed
from events.witness import CheckpointPosted
from party.jobs import job_history
from party.opening import Party
from party.requesting import request_training
from tallystick.demo.federation import (
    DemoOptions,
    create_parties,
    demo_terms,
    prepare_folder,
    running,
)
from tallystick.demo.identifying import identify_held_out
from tallystick.demo.scoring import score_held_out
from tallystick.demo.summary import Summary, summarise
from tallystick.errors import DemoError, JobFailedError
from tallystick.estimate import Machine
from tallystick.following import JobProgress, follow_job
from tallystick.forecast import machine_for, with_forecast
from tallystick.job_name import job_stem

QUIET_SECONDS = 30.0

Watch = Callable[[Mapping[str, JobProgress]], None]


def run_demo(
    options: DemoOptions, watch: Watch, say: Callable[[str], None] | None = None
) -> Summary:
    """Train a joint model; `watch` is called whenever any party got further, `say` with the
    time a round will take, before the first one.

    Leaves the parties' folders and summary.json. Raises JobFailedError, and the errors of the
    rooms for bad data, before anything is trained.
    """
    prepare_folder(options.out)
    folders = create_parties(options)
    job, terms = f"demo-{job_stem(options.name)}", demo_terms(options, folders)
    with running(folders, options.broker) as parties:
        machine = machine_for(terms, parties["bank"].settings.cores) if say else None
        began = time.monotonic()
        request_training(parties["bank"], job, terms)
        progress = _follow(parties, job, machine, watch, say)
        seconds = time.monotonic() - began
        _wait_until_quiet(parties, job)
        paces = progress["bank"].round_times
        scored = score_held_out(parties, job)
        identified = identify_held_out(parties, job)
        summary = summarise(
            options.name,
            "rabbitmq" if options.broker else "embedded",
            job,
            parties,
            seconds,
            sum(paces) / len(paces),
        ).model_copy(update={"scored_by_sql": scored, "identified": identified})
    (options.out / "summary.json").write_text(summary.model_dump_json(indent=1) + "\n")
    return summary


def _follow(
    parties: Mapping[str, Party],
    job: str,
    machine: Machine | None,
    watch: Watch,
    say: Callable[[str], None] | None,
) -> dict[str, JobProgress]:
    progress = {name: JobProgress(party.role) for name, party in parties.items()}
    streams = {name: follow_job(party.log, job) for name, party in parties.items()}
    if say is not None:
        streams["bank"] = with_forecast(streams["bank"], job, machine, say)
    arbiter_done = False
    while not (arbiter_done and all(progress[name].is_finished for name in _data(parties))):
        for name, stream in streams.items():
            while (fact := next(stream)) is not None:
                progress[name].take(fact)
                watch(progress)
        arbiter_done = progress["arbiter"].stopped is not None
        for one in progress.values():
            if one.failure is not None:
                raise JobFailedError(_why(parties, job, one.failure.detail))
    return progress


def _data(parties: Mapping[str, Party]) -> list[str]:
    return [name for name in parties if name not in {"arbiter", "mart"}]


def _why(parties: Mapping[str, Party], job: str, detail: str) -> str:
    """What all members heard and, since the demo may look everywhere, the private reason."""
    reasons = [detail]
    for party in parties.values():
        reasons += [fact.event.detail for fact in job_history(party.log, job).of(WorkFailed)]
    return "; ".join(reasons)


def _wait_until_quiet(parties: Mapping[str, Party], job: str) -> None:
    """Until every member has every shared event of the job, the checkpoints of all among them."""
    give_up = time.monotonic() + QUIET_SECONDS
    while time.monotonic() < give_up:
        shared = [
            {entry.envelope.id for entry in party.log.job(job) if not entry.envelope.is_private}
            for party in parties.values()
        ]
        posted = job_history(parties["bank"].log, job).has_from_all(CheckpointPosted, parties)
        if posted and all(events == shared[0] for events in shared):
            return
        time.sleep(0.05)
    raise DemoError("the parties' logs do not agree on the job's events: see `tally log show`")
