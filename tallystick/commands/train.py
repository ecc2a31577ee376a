"""`tally train`: ask for a joint model, follow the job, report how good the model is."""

import datetime as dt
import logging
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from party.opening import Party, open_party
from party.requesting import check_request, request_training
from party.status import is_running
from tallystick.forecast import ForecastingScreen
from tallystick.job_facts import JobFacts, job_facts
from tallystick.job_file import read_job_file
from tallystick.job_name import job_stem
from tallystick.job_report import show_quality
from tallystick.log_output import configure_logging
from tallystick.party_views import write_models
from tallystick.terminal import note, say
from tallystick.training import at_work, follow_to_the_end

FAILED = 1


def train(
    file: Annotated[Path, typer.Argument(metavar="JOB.toml", help="The job, see `tally job new`.")],
    folder: Annotated[
        Path, typer.Option("--as", metavar="DIR", help="The folder of the party that asks.")
    ],
    job: Annotated[
        str | None, typer.Option(help="The job's id; made of file name and time unless given.")
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Only ask; do not wait for the model.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document at the end.")
    ] = False,
) -> None:
    """Train a joint model and report its quality on customers held out of training.

    Follows the job to its end. When the party is not running (`tally party run`), this command
    runs it meanwhile. Exit code 1: the job failed or was declined.
    """
    configure_logging(logging.ERROR)  # the screen says what is worth a warning, once
    terms = read_job_file(file)
    with closing(open_party(folder)) as party:
        job = job or job_id(file, dt.datetime.now(dt.UTC))
        check_request(party, job, terms)
        if detach:
            request_training(party, job, terms)
            _say_where_it_goes_on(party, job, folder, as_json=as_json)
            return
        with at_work(party) as begin:
            screen = ForecastingScreen(party, job, terms)
            note(f"job {job}: reading the data of {party.name}")
            request_training(party, job, terms)
            begin()
            try:
                follow_to_the_end(party, job, screen)
            except KeyboardInterrupt:
                note(
                    f"job {job} is not cancelled: `tally job cancel {job} --as {folder}` does that"
                )
                raise
        write_models(party)
        facts = job_facts(party, job)
    if as_json:
        typer.echo(facts.model_dump_json(indent=1))
    _report(facts, folder, as_json=as_json)


def job_id(file: Path, moment: dt.datetime) -> str:
    """`Spring campaign.toml` at a moment becomes `spring-campaign-20260131-120000`."""
    return f"{job_stem(file.stem)}-{moment:%Y%m%d-%H%M%S}"


def _say_where_it_goes_on(party: Party, job: str, folder: Path, *, as_json: bool) -> None:
    if as_json:
        typer.echo(job_facts(party, job).model_dump_json(indent=1))
    else:
        say(job)
    note(f"asked for; `tally job show {job} --as {folder}` shows how it goes")
    if not is_running(party):
        note(f"it begins when the party runs: `tally party run {folder}`")


def _report(facts: JobFacts, folder: Path, *, as_json: bool) -> None:
    if facts.state in ("declined", "cancelled", "failed"):
        for line in facts.notes:
            note(line)
        note(f"tally: job {facts.job} {facts.state}: {facts.reason}")
        raise typer.Exit(FAILED)
    if as_json:
        return
    say("")
    if facts.quality is not None:
        show_quality(facts.quality)
    elif facts.held_out_rows:
        say(f"the model is not measured: {facts.reason}")
    else:
        say("no customer was held out: the model is not measured")
    say("")
    say(f"{facts.rounds} rounds; stopped: {facts.stopped}.")
    if facts.model_file:
        say(f"This party's half of the model: {facts.model_file}")
    say(f"Next: tally job show {facts.job} --as {folder}")
    say(f"      tally log show {folder} --job {facts.job}")
