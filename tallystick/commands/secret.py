"""`tally secret`: the secret of one job, for an auditor whom the party trusts."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from audit.job_secret import job_secret_of, write_job_secret
from party.opening import open_party
from tallystick.terminal import note

secret_app = typer.Typer(help="Hand an auditor what re-execution needs, and nothing more.")


@secret_app.callback()
def _group() -> None:
    """Hand an auditor what re-execution needs, and nothing more."""


@secret_app.command()
def export(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write; 0600.")],
    job: Annotated[str, typer.Option(help="The job.")],
    folder: Annotated[Path, typer.Option("--as", metavar="DIR", help="The party.")],
) -> None:
    """Write the party's secret of one job, derived from its master secret, which stays here.

    With it an auditor can draw this party's masks and random numbers of this job again: hand it
    to nobody else. It says nothing about other jobs, and signs nothing.
    """
    with closing(open_party(folder)) as party:
        write_job_secret(job_secret_of(party, job), out)
    note(f"{out}: the secret of {job}; whoever has it can undo this party's masks of this job")
