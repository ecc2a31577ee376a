"""`tally serve`: the party at work, and a door for business systems (requirement S4)."""

import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated

import typer

from bus import open_endpoint
from events.vocabulary import ASKING_ROLES
from party.opening import open_party
from party.reactor_process import LOOK_SECONDS, SWITCH_SECONDS
from party.running import PartyProcesses
from party.settings import broker_of
from party.stopping import stop_signals
from tallystick.errors import ServingError
from tallystick.log_output import configure_running_log
from tallystick.serving.queue import serving_queue
from tallystick.serving.server import web_server
from tallystick.serving.service import ScoreService
from tallystick.serving.token import token_in
from tallystick.serving.web import web_application
from tallystick.terminal import note

TOKEN_FILE = "serve.token"  # noqa: S105 - its name


def serve(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The party's folder.")],
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 8787,
    token_file: Annotated[
        Path | None, typer.Option(help="Its token; DIR/serve.token unless given.")
    ] = None,
    queue: Annotated[
        str | None,
        typer.Option(help="amqp://…: also answer the requests in the queue `tallystick.scores`."),
    ] = None,
) -> None:
    """Run the party and answer business systems until Ctrl-C.

    `POST /v1/scores` with `{"model": "ID", "ids": ["…"]}` and the header
    `Authorization: Bearer TOKEN`; `GET /v1/models`; `GET /healthz` without a token. A queue takes
    the same documents and replies to each message's `reply_to`; there `within` is at most 1500
    seconds, and that for `offline` unless given: RabbitMQ takes back what waits for half an hour.
    """
    configure_running_log()
    sys.setswitchinterval(SWITCH_SECONDS)
    with ExitStack() as stack:
        party = stack.enter_context(closing(open_party(folder)))
        if party.role not in ASKING_ROLES:
            raise ServingError(f"{party.name} is a {party.role}: run it with `tally party run`")
        token = token_in(token_file or folder / TOKEN_FILE)
        endpoint = open_endpoint(broker_of(party.settings, party.folder), party.name)
        stack.callback(endpoint.close)
        running = PartyProcesses(party, endpoint, configure_running_log)
        stack.enter_context(running)
        service = ScoreService(party, running.turns)
        service.start()
        stack.callback(service.stop)
        address = stack.enter_context(web_server(web_application(service, token), host, port))
        note(
            f"{party.name} serves at {address}; the token is in {token_file or folder / TOKEN_FILE}"
        )
        if queue is not None:
            stack.enter_context(serving_queue(service, queue))
        note("Ctrl-C stops it")
        _until_told_to_stop(running)
    note(f"{party.name} has stopped; what it was asked goes on when it runs again")


def _until_told_to_stop(running: PartyProcesses) -> None:
    with stop_signals() as stopping:
        while not stopping.wait(LOOK_SECONDS):
            running.look_after()
