"""`tally board`: a party in a browser, live and read-only (requirement D4)."""

from pathlib import Path
from typing import Annotated

import typer

from party.stopping import stop_signals
from tallystick.board.guard import is_loopback
from tallystick.board.watched import watch
from tallystick.board.web import board_application
from tallystick.serving.server import web_server
from tallystick.serving.token import token_in
from tallystick.terminal import note

TOKEN_FILE = "board.token"  # noqa: S105 - its name


def board(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The party's folder.")],
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 8788,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="Ask for the token in this file, made where there is none. At another address "
            "than loopback one is always asked for: DIR/board.token unless given.",
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(help="A name under which browsers reach it, besides addresses; repeat it."),
    ] = None,
) -> None:
    """Show a party in a browser until Ctrl-C: health, trainings, log, and the report to download.

    It only reads, whether the party runs or not, and stays on this machine unless `--host` says
    otherwise. Then it asks for a token; put a proxy with TLS before it, as HTTP hides nothing.

    `tally board bank`, then open the address that it prints.
    """
    watched = watch(folder)
    if token_file is None and not is_loopback(host):
        token_file = folder / TOKEN_FILE
    token = token_in(token_file) if token_file else None
    names = frozenset(one.lower() for one in (host, *(name or ())))
    with web_server(board_application(watched, token, names), host, port) as address:
        note(f"{watched.name} is on the board at {address}")
        if token_file:
            note(f"it asks for the token in {token_file}")
        note("Ctrl-C stops it")
        with stop_signals() as stopping:
            stopping.wait()
