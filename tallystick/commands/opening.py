"""`tally audit open`: what an escrow may open of a party's log."""

from pathlib import Path
from typing import Annotated

import typer

from audit.escrow import EscrowOpening, open_escrowed, read_escrow_secret
from audit.opening import open_log
from tallystick.terminal import note, say, show_table

NOT_HELD = 1


def open_under_escrow(
    log: Annotated[str, typer.Argument(metavar="LOG", help="The log.")],
    escrow: Annotated[Path, typer.Option(metavar="FILE", help="The secret of `tally escrow new`.")],
    job: Annotated[str | None, typer.Option(help="Only the payloads of this job.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep them there: salt and content, by commitment."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Open what came to a party under seal in jobs that name this escrow, without the party's keys.

    LOG is `tally log export --sealed`, or the party's folder. Every payload is compared with what
    its issuer committed to. Exit code 0 when all opened and are that, 1 otherwise.
    """
    with open_log(log) as copy:
        result = open_escrowed(copy, read_escrow_secret(escrow), out, job)
    if as_json:
        typer.echo(result.model_dump_json(indent=1))
    else:
        _show(result)
    if not result.holds:
        raise typer.Exit(NOT_HELD)


def _show(result: EscrowOpening) -> None:
    rows = [
        (one.job, str(one.position), one.type, one.source, one.payload, f"{one.size:,}")
        for one in result.payloads
        if not one.problem
    ]
    show_table(("job", "position", "event", "from", "payload", "bytes"), rows, right="bytes")
    for one in result.payloads:
        if one.problem:
            place = f"position {one.position}, {one.type} of {one.source}"
            say(f"FAILS  {place}: the payload {one.payload} {one.problem}")
    say(f"{len(rows):,} payloads opened of {len(result.payloads):,} that came to {result.party}")
    if result.others:
        note(f"note: {result.others:,} came to other parties: their logs have them")
