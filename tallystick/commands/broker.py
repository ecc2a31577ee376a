"""`tally broker`: prepare a RabbitMQ for a federation."""

from pathlib import Path
from typing import Annotated

import typer

from bus.authority import is_host
from bus.definitions import GIBIBYTE, Limits
from bus.topology import queue_name
from tallystick.broker_certificates import write_certificates
from tallystick.broker_files import DEFINITIONS, read_cards, write_definitions
from tallystick.errors import BrokerFilesError
from tallystick.terminal import note, say, show_table

Cards = Annotated[
    list[Path], typer.Option("--card", metavar="FILE", help="A member's card; once for each.")
]

ADDRESS = (
    "amqps://HOST/tallystick?cacertfile=keys/broker-authority.pem&certfile=keys/broker.pem"
    "&keyfile=keys/broker.key"
)

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


@broker_app.command()
def certificates(
    card: Cards,
    host: Annotated[
        list[str],
        typer.Option(metavar="NAME", help="Name or address of the broker; may be repeated."),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the files go.")],
    request: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Signing request of a party that made its key itself; may be repeated.",
        ),
    ] = None,
    days: Annotated[int, typer.Option(min=31, max=825, help="How long certificates hold.")] = 397,
) -> None:
    """Make certificates: for the broker, and for each party one with its name, which is its login.

    For a federation that has no certificate authority: a small one of its own, in authority/.
    Who has its key can log in as anybody: keep it off the broker, and run this again every
    year; certificates that hold for another month are left as they are.

    The private keys are made here unless a party sends a request, which keeps its key at home:

    `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=NAME
    -keyout broker.key -out NAME.csr`
    """
    if not all(map(is_host, host)):
        raise BrokerFilesError(
            "--host is the broker's name or address alone, as the parties write it: no URL, no port"
        )
    folders = write_certificates(out, read_cards(card), host, request or (), days)
    rows = [
        (
            folder.owner,
            str(folder.path),
            f"{folder.not_after:%Y-%m-%d}",
            "new" if folder.is_new else "as it was",
        )
        for folder in folders
    ]
    show_table(("for", "files in", "holds until", ""), rows)
    say(f'Each party copies its files to its keys/ and says in party.toml: broker = "{ADDRESS}"')
    note(f"{out / 'authority'} stays with you: its key can make a login for any party")
