"""`tally escrow`: the keys of somebody who may open what a job's members seal for each other."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from pyrage import x25519

from events.escrow import EscrowCard
from party.identity import write_secret
from tallystick.errors import EscrowError
from tallystick.terminal import note, say

escrow_app = typer.Typer(
    help="Make the keys of an escrow: an auditor who can open what is sealed in a job."
)


@escrow_app.callback()
def _group() -> None:
    """Make the keys of an escrow: an auditor who can open what is sealed in a job."""


@escrow_app.command()
def new(
    name: Annotated[str, typer.Argument(help="By this name jobs and policies know it.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the two files go.")] = Path(),
) -> None:
    """Make a new escrow: NAME.escrow.secret, which stays with its holder, and NAME.escrow.json.

    Jobs name the public key, and every party has to allow it in its own policy; the lines for both
    are printed. Whoever holds the secret can open all that is sealed in such a job, with
    `tally audit open`: keep it offline, and apart from the arbiter's keys.
    """
    secret = x25519.Identity.generate()
    try:
        card = EscrowCard(name=name, sealing_key=str(secret.to_public()))
    except ValidationError:
        raise EscrowError(
            f"{name!r} cannot name an escrow: use lower-case letters, digits and dashes"
        ) from None
    file, public = out / f"{name}.escrow.secret", out / f"{name}.escrow.json"
    if public.exists():
        raise EscrowError(f"{public} is there already: choose another name or --out")
    try:
        write_secret(file, f"{secret}\n".encode())
    except FileExistsError:
        raise EscrowError(f"{file} is there already: choose another name or --out") from None
    public.write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
    note(f"{file}: the secret, for {name} alone; {public}: the public key, for everybody else")
    say("In the job's file, and in every party.toml under [policy]:")
    say(f'escrows = [{{name = "{card.name}", sealing_key = "{card.sealing_key}"}}]')
