"""`tally broker`: prepare a RabbitMQ for a federation."""

from pathlib import Path
from typing import Annotated

import typer

from bus.definitions import GIBIBYTE, Limits
from bus.topology import queue_name
from tallystick.broker_files import DEFINITIONS, read_cards, write_definitions
from tallystick.terminal import note, say, show_table

Cards = Annotated[
    list[Path], typer.Option("--card", metavar="FILE", help="A member's card; once for each.")
]

broker_app = typer.Typer(help="Prepare a RabbitMQ for a federation: for its administrator.")


@broker_app.callback()
def _group() -> None:
    """Prepare a RabbitMQ for a federation: for its administrator."""


@broker_app.command()
def definitions(
    card: Cards,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the files go.")],
    password: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="This party logs in by password; may be repeated."),
    ] = None,
    passwords: Annotated[
        bool, typer.Option("--passwords", help="All parties log in by password.")
    ] = False,
    queue_gib: Annotated[
        float, typer.Option(min=0.001, help="What may wait for one party, in GiB.")
    ] = 4.0,
    dead_days: Annotated[
        int, typer.Option(min=1, max=3650, help="Days until a dead letter is dropped.")
    ] = 30,
) -> None:
    """Write what RabbitMQ has to know: users, permissions, exchanges, queues, limits.

    Each party may publish as itself and read its own queue, and nothing else; the management
    interface is closed to it. It logs in by a client certificate with its name
    (`tally broker certificates`) unless a password is asked for: a random one, in a file of
    its own, of which the definitions have a salted hash.

    RabbitMQ takes them with `rabbitmqctl import_definitions`, or at start by `load_definitions`.
    """
    cards = read_cards(card)
    by_password = {one.name for one in cards} if passwords else set(password or ())
    limits = Limits(queue_bytes=int(queue_gib * GIBIBYTE), dead_days=dead_days)
    logins = write_definitions(out, cards, by_password, limits)
    rows = [
        (
            login.card.name,
            str(login.card.role),
            queue_name(login.card.name),
            f"password in {login.password_file}" if login.password_file else "certificate",
        )
        for login in logins
    ]
    show_table(("party", "role", "reads", "logs in by"), rows)
    say(f"{out / DEFINITIONS} is for RabbitMQ: rabbitmqctl import_definitions FILE")
    if by_password:
        note("hand each password to its party alone; without its file here a new one is drawn")
    note("users and queues of parties that have left are not removed: rabbitmqctl delete_user NAME")
