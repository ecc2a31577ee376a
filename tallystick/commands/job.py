"""`tally job`: write a job file; list, show and cancel jobs."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from events.vocabulary import Role
from party.opening import Party, open_party
from party.requesting import cancel_training
from party.status import JobState, is_running
from projections import jobs, trainings
from tallystick.errors import JobFileError, JobLookupError
from tallystick.job_facts import job_facts
from tallystick.job_file import job_template
from tallystick.job_report import show_job
from tallystick.party_views import current_views
from tallystick.terminal import note, say, show_table

AsParty = Annotated[Path, typer.Option("--as", metavar="DIR", help="The party's folder.")]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]

job_app = typer.Typer(help="Write a job file; list, show and cancel jobs.")


@job_app.command()
def new(
    file: Annotated[Path, typer.Argument(metavar="JOB.toml", help="The file to write.")],
    folder: Annotated[
        Path | None,
        typer.Option("--as", metavar="DIR", help="Take the names from this party's trusted cards."),
    ] = None,
) -> None:
    """Write an annotated job file: who takes part, and the terms they agree on."""
    names: dict[Role, list[str]] = {role: [] for role in Role}
    if folder is not None:
        with closing(open_party(folder)) as party:
            for one in (party.card, *party.trusted):
                names[one.role].append(one.name)
    text = job_template(
        file,
        (names[Role.LOCAL] or ["bank"])[0],
        names[Role.PARTICIPANT] or ["partner"],
        (names[Role.ARBITER] or ["arbiter"])[0],
    )
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise JobFileError(f"{file} exists: choose another name, or remove it first") from None
    say(f"{file} is a job that can be used as it is; every line says what it is for.")
    for role in (Role.LOCAL, Role.PARTICIPANT, Role.ARBITER):
        if not names[role]:
            note(f"no party with role {role} is known here: put its name into {file}")
    if names[Role.AUDITOR]:
        note(f"to let {', '.join(names[Role.AUDITOR])} watch, name them under auditors")
    say(f"Next: tally train {file} --as {folder or 'DIR'}")


@job_app.command("list")
def list_jobs(
    folder: AsParty,
    predictions: Annotated[
        bool, typer.Option("--predictions", help="With every request for scores or labels.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the jobs in a party's log, the oldest first."""
    with closing(open_party(folder)) as party, current_views(party) as views:
        rows = views.select(jobs() if predictions else trainings())
    if as_json:
        states = [JobState(**{name: row[name] for name in JobState.model_fields}) for row in rows]
        typer.echo("[" + ",\n ".join(state.model_dump_json() for state in states) + "]")
    elif not rows:
        note("no job yet")
    else:
        lines = [
            (row["job"], row["state"], str(row["round"]), row["started"] or "", row["reason"])
            for row in rows
        ]
        show_table(("job", "state", "round", "started", "reason"), lines, right="round")


@job_app.command()
def show(job: JobId, folder: AsParty, as_json: AsJson = False) -> None:
    """Show a job: its members and their answers, terms, counts, rounds, and how it ended."""
    with closing(open_party(folder)) as party:
        facts = job_facts(party, job)
    if as_json:
        typer.echo(facts.model_dump_json(indent=1))
    else:
        show_job(facts)


@job_app.command()
def cancel(
    job: JobId,
    folder: AsParty,
    reason: Annotated[str, typer.Option(help="Told to every member of the job.")] = "",
) -> None:
    """Call a job off, for all its members."""
    with closing(open_party(folder)) as party:
        _refuse_finished(party, job)
        cancel_training(party, job, reason)
        say(f"job {job} is cancelled")
        if not is_running(party):
            note(f"the others hear of it when the party runs: `tally party run {folder}`")


def _refuse_finished(party: Party, job: str) -> None:
    facts = job_facts(party, job)
    if facts.stopped:
        raise JobLookupError(f"job {job} has finished its training: nothing can be cancelled")
