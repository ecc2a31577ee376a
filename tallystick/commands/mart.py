"""`tally mart`: the key of a mart's members, contributions, and loading them into the mart."""

import datetime as dt
import json
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from events.vocabulary import Role
from party.contributions import (
    contribute as write_contribution,
)
from party.contributions import (
    create_mart_key,
    load_contributions,
    read_mart_key,
)
from party.opening import open_party
from party.sources import SourceSettings
from tallystick.errors import TallyError
from tallystick.terminal import note, say

mart_app = typer.Typer(help="Contribute features to a data mart, and load them into it.")


@mart_app.command()
def key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new key file.")],
) -> None:
    """Make the key that the bank and the mart's members share.

    The bank keeps it as keys/mart.key in its party's folder. The mart, the participant, the
    arbiter and the broker must never have it: who has it can try all telephone numbers.
    """
    create_mart_key(file)
    say(f"{file} is the key; give it to the members and the bank over a channel of their own,")
    say("and to nobody else. At the bank: cp it to DIR/keys/mart.key, mode 600.")


@mart_app.command()
def contribute(
    data: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="A CSV or Parquet file.")
    ],
    key: Annotated[Path, typer.Option(metavar="FILE", help="The key of the mart's members.")],
    out: Annotated[Path, typer.Option(metavar="FILE.parquet", help="The contribution.")],
    identifier: Annotated[
        str | None, typer.Option("--id", help="Customer id column, where it is not plain.")
    ] = None,
    observed_on: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day to which dates are counted."),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="A column to leave out; may be repeated.")
    ] = None,
) -> None:
    """Write numbers under keyed hashes, for the mart: no ids, no names of columns.

    What c1, c2 … are is written to a file beside it, which stays with the member.
    """
    day = observed_on.date() if observed_on else None
    source = SourceSettings(
        file=str(data.absolute()), id=identifier, observed_on=day, exclude=tuple(exclude or ())
    )
    names = write_contribution(source, read_mart_key(key), out)
    meanings = out.with_suffix(".columns.json")
    named = {f"c{place}": name for place, name in enumerate(names, start=1)}
    meanings.write_text(json.dumps(named, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    say(f"{out}: {len(names)} columns of numbers under keyed hashes; hand it to the mart.")
    say(f"{meanings}: what the columns mean; it stays with you.")


@mart_app.command()
def load(
    contributions: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="All contributions of the members.")
    ],
    folder: Annotated[Path, typer.Option("--as", metavar="DIR", help="The mart's folder.")],
) -> None:
    """Join the members' contributions into the mart's table, in place of what it had."""
    with closing(open_party(folder)) as party:
        if party.role is not Role.MART:
            raise TallyError(f"{party.name} is a {party.role}: only a mart loads contributions")
        customers, columns = load_contributions(contributions, party.folder.contributions)
        least = party.settings.policy.smallest_overlap
    say(f"the mart has {columns} columns of {customers:,} customers")
    note(f"it delivers no match below {least} customers (smallest_overlap in party.toml)")
