"""`tally payloads`: what a party keeps beside its log, and for how long."""

import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from party.opening import open_party
from party.pruning import prunable, prune
from tallystick.terminal import note, say, show_table

UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1)}
MEBIBYTE = 1 << 20

payloads_app = typer.Typer(help="What a party keeps beside its log, and for how long.")


@payloads_app.callback()
def _group() -> None:
    """What a party keeps beside its log, and for how long."""


def age(text: str) -> timedelta:
    """Of 90d or 12h. Raises BadParameter."""
    found = re.fullmatch(r"([0-9]{1,5})([hd])", text.strip())
    if found is None:
        raise typer.BadParameter("write a number and d or h, as in 90d")
    return int(found[1]) * UNITS[found[2]]


@payloads_app.command(name="prune")
def prune_command(
    folder: Annotated[Path, typer.Option("--as", metavar="DIR", help="The party's folder.")],
    older_than: Annotated[
        timedelta,
        typer.Option(metavar="AGE", parser=age, help="Since the job ended, as in 90d or 12h."),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be removed.")
    ] = False,
) -> None:
    """Remove the ciphertexts and masked results of jobs that ended long ago.

    Labels, snapshots, parameters, models and scores stay, and the log notes what went
    (PayloadsPruned): it stays verifiable, and every projection can be built again. The jobs
    themselves can no longer be run again (`tally audit reexecute`), so keep them as long as an
    auditor may ask, and a peer may come back from an old backup. The party may run meanwhile.
    """
    with closing(open_party(folder)) as party:
        found = prunable(party, datetime.now(UTC) - older_than)
        if not dry_run:
            for _ in prune(party, found):
                pass
    if not found:
        say("nothing to remove")
        return
    rows = [
        (one.job, one.ended[:10], str(len(one.commitments)), f"{one.size / MEBIBYTE:,.1f}")
        for one in found
    ]
    show_table(("job", "ended", "payloads", "MiB"), rows, right="payloads MiB")
    total = sum(one.size for one in found) / MEBIBYTE
    note(f"{total:,.1f} MiB {'would be' if dry_run else 'were'} removed")
