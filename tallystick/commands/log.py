"""`tally log`: the log as a readable sequence, and as one portable file."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from audit.export import export_log
from audit.log_copy import Scope
from party.opening import Party, open_party
from store import Entry
from tallystick.errors import JobLookupError
from tallystick.log_lines import job_of, log_document, log_line
from tallystick.terminal import note, result_console, say

WAIT_SECONDS = 0.5

log_app = typer.Typer(help="Read a party's log: signed events, in the order it learned them.")


@log_app.command()
def show(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The party's folder.")],
    job: Annotated[str | None, typer.Option(help="Only the events of this job.")] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is appended, until Ctrl-C.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line: the envelope and its position.")
    ] = False,
    private: Annotated[
        bool, typer.Option("--private/--no-private", help="With the party's private events.")
    ] = True,
) -> None:
    """Print the log, one event a line: position, time, id, who said what, and because of what.

    `shared` events are known to all members of the job, `private` ones never left this log. A
    payload is named with its shape, its size, and the parties that it is sealed to.
    """
    with closing(open_party(folder)) as party:
        shown = 0
        for entry in _entries(party, follow=follow):
            envelope = entry.envelope
            if (job and job_of(envelope) != job) or (envelope.is_private and not private):
                continue
            shown += 1
            if as_json:
                result_console().out(log_document(entry), highlight=False)
            else:
                say(log_line(entry), style="dim" if envelope.is_private else None)
        if job and not shown:
            raise JobLookupError(f"the log of {party.name} has no event of a job {job}")
        if not shown:
            note("the log is empty")


@log_app.command()
def export(
    out: Annotated[Path, typer.Argument(metavar="OUT.tally", help="The file to write.")],
    folder: Annotated[Path, typer.Option("--as", metavar="DIR", help="The party whose log it is.")],
    job: Annotated[str | None, typer.Option(help="Only the events of this job.")] = None,
    private: Annotated[
        bool, typer.Option("--private", help="With the party's private events: for its own people.")
    ] = False,
    payloads: Annotated[
        bool,
        typer.Option("--payloads", help="With the payloads that this party can open, unsealed."),
    ] = False,
    sealed: Annotated[
        bool,
        typer.Option("--sealed", help="With what an escrow of the job can open, as it came."),
    ] = False,
) -> None:
    """Write one portable file that an auditor can check without this party, its keys or its data.

    It holds the signed events as they were signed, the parties' cards, a signed checkpoint of the
    whole log, and proofs that the events stand in it. The same log gives the same file.

    Check it with `tally audit verify OUT.tally`; docs/log-format.md describes it.
    """
    with closing(open_party(folder)) as party:
        done = export_log(party, out, Scope(job, private), payloads=payloads, sealed=sealed)
    note(
        f"{out}: {done.events:,} events and {done.payloads:,} payloads of {party.name}, "
        f"whose log has {done.size:,} events"
    )
    say(f"{done.root.hex()}  root of the log")
    if private or payloads:
        note("it holds what is private to the party: hand it only to who may know")


def _entries(party: Party, *, follow: bool) -> Iterator[Entry]:
    after = 0
    while True:
        entries = party.log.read(after)
        yield from entries
        if entries:
            after = entries[-1].position
        elif follow:
            party.log.wait_for_entries(after, WAIT_SECONDS)
        else:
            return
