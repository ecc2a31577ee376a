"""`tally party`: make a party, exchange cards, run it, look at its state."""

import datetime as dt
import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from bus import open_endpoint
from events.vocabulary import DATA_ROLES, Role
from party.creating import create_party
from party.doctor import State, examine, worst
from party.lock import running_alone
from party.opening import Party, open_party, party_card
from party.others_keys import trust_cards
from party.reactor_process import SWITCH_SECONDS
from party.rotating import rotate_keys
from party.running import run_party
from party.settings import broker_of
from party.sources import SourceSettings
from party.status import party_status
from projections import jobs
from tallystick.log_output import configure_running_log
from tallystick.party_state import count_events, show_finding, show_state
from tallystick.party_views import current_views
from tallystick.terminal import note, say, show_table

UNWELL = 1  # the exit code of an examination that found something broken

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The party's folder.")]

NAME_THE_DATA = (
    'Name its data there, under [source]: file = "customers.csv", or a SQL query: '
    'url = "postgresql+psycopg://user:${PASSWORD}@host/database" and query = "SELECT * FROM t".'
)

party_app = typer.Typer(help="Make a party, exchange cards, run it, look at its state.")


@party_app.command()
def new(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder for the party.")],
    role: Annotated[Role, typer.Option(help="What the party is in a job.")],
    name: Annotated[str, typer.Option(help="By this name the others know it; lower case.")],
    broker: Annotated[
        str | None,
        typer.Option(metavar="URL", help="amqp://user:${PASSWORD}@host:5672/vhost, or amqps://."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="The party's data: CSV or Parquet."),
    ] = None,
    identifier: Annotated[
        str | None, typer.Option("--id", help="Customer id column, where it is not plain.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="Label column, where it is not plain.")] = None,
    observed_on: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day to which dates are counted."),
    ] = None,
) -> None:
    """Make a party: a folder with its keys, an empty log, and a party.toml that explains itself.

    Roles: `local` has the labels and asks for models (the bank), `participant` has other
    features of the same customers, `arbiter` holds the decryption key, `auditor` watches,
    `mart` delivers features that its members contributed (`tally mart --help`).
    """
    details = (identifier, label, observed_on)
    if data is None and any(detail is not None for detail in details):
        raise typer.BadParameter("--id, --label and --observed-on describe --data FILE")
    source = None
    if data is not None:
        day = observed_on.date() if observed_on else None
        source = SourceSettings(
            file=str(data.absolute()), id=identifier, label=label, observed_on=day
        )
    made = create_party(folder, role, name, broker=broker, tables=_source_table(source))
    say(f"{name} ({role}) is in {folder}; its settings are in {made.settings}")
    if source is None and role in DATA_ROLES:
        say(NAME_THE_DATA)
    say("Next: hand out its card, trust the others', run it.")
    say(f"  tally party card {folder} --out {name}.json")
    say(f"  tally party trust {folder} CARD...")
    say(f"  tally party run {folder}")


@party_app.command()
def card(
    folder: Folder,
    out: Annotated[Path | None, typer.Option(help="Write it to this file.")] = None,
) -> None:
    """Print the party's card: its name, role and public keys, for the others to trust."""
    own = party_card(folder)
    text = own.model_dump_json(indent=2)
    if out is None:
        typer.echo(text)
    else:
        out.write_text(f"{text}\n", encoding="utf-8")
        note(f"the card of {own.name} is in {out}")
    note(f"fingerprint: {own.fingerprint}")


@party_app.command()
def trust(
    folder: Folder,
    cards: Annotated[
        list[Path], typer.Argument(metavar="CARD...", help="Card files of other parties.")
    ],
) -> None:
    """Trust other parties by their cards: all of these, or none when one cannot be."""
    trusted = trust_cards(folder, *cards)
    rows = [(one.name, str(one.role), one.fingerprint) for one in trusted]
    show_table(("trusted", "role", "fingerprint"), rows)
    say(
        "Compare each fingerprint with what its owner reads out (`tally party card` at theirs), by "
        "telephone or in person."
    )
    say(f"If one differs, remove its file from {folder / 'trusted'}: somebody changed the card.")


@party_app.command("rotate-keys")
def rotate(folder: Folder) -> None:
    """Give the party new keys for signing and sealing; everybody who trusts it is told.

    The party must not run meanwhile, no job be under way and nothing be left to be sent. The old
    key signs that the new one follows, so the others accept it by themselves, unless their policy
    asks their operators first. Back the folder `keys` up anew afterwards.
    """
    rotated = rotate_keys(folder)
    say(f"retired: {rotated.retired.fingerprint}")
    say(f"new:     {rotated.card.fingerprint}")
    told = ", ".join(rotated.told)
    say(f"{told} will be told when the party runs" if told else "no other party is trusted yet")
    say(f"Whoever gets to know {rotated.card.name} from now on needs the new card:")
    say(f"  tally party card {folder} --out {rotated.card.name}.json")
    say(f"Back up {folder / 'keys'}: with an older copy of it the party cannot run any more.")


@party_app.command()
def run(
    folder: Folder,
    metrics: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Answer Prometheus there; a PORT is on loopback."),
    ] = None,
) -> None:
    """Run the party until Ctrl-C: its link to the broker, and the process that computes.

    Stopping it at any moment is harmless: it goes on from its log when it runs again.
    """
    configure_running_log()
    sys.setswitchinterval(SWITCH_SECONDS)
    with closing(open_party(folder)) as party:
        with running_alone(party.folder.lock):
            pass  # or fail now, before another connection of the same party is made
        broker = broker_of(party.settings, party.folder)
        with closing(open_endpoint(broker, party.name)) as endpoint:
            note(f"{party.name} ({party.role}), fingerprint {party.card.fingerprint}")
            note(f"connected to the broker at {broker.address}")
            _say_what_it_waits_for(party, folder)
            run_party(folder, prepare=configure_running_log, endpoint=endpoint, metrics=metrics)
    note(f"{party.name} has stopped; what it was doing goes on when it runs again")


@party_app.command()
def status(
    folder: Folder,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show how far the party is, what it could not deliver, and what it refused."""
    with closing(open_party(folder)) as party:
        state = party_status(party)
    if as_json:
        typer.echo(state.model_dump_json(indent=1))
    else:
        show_state(state)


@party_app.command()
def doctor(
    folder: Folder,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Look for what keeps the party from working, or soon will, and say what to do about it.

    Keys, who may read them, cards, database, clock, the running processes, what waits, payloads,
    disk, data, broker, certificates, queue. Changes nothing; the party may run or not. Exit code
    1 when something fails, 0 when all is well or only worth a look.
    """
    findings = []
    for finding in examine(folder):
        findings.append(finding)
        if not as_json:
            show_finding(finding)
    state = worst(findings)
    if as_json:
        listed = [finding.model_dump(mode="json") for finding in findings]
        typer.echo(json.dumps({"state": state, "findings": listed}, indent=1, ensure_ascii=False))
    if state is State.FAIL:
        raise typer.Exit(UNWELL)


@party_app.command()
def retry(folder: Folder) -> None:
    """Send again what was given up after very many attempts, now that its cause is mended."""
    with closing(open_party(folder)) as party, party.log.transaction() as transaction:
        count = transaction.retry_parked()
    say(f"{count_events(count)} will be sent again while the party runs")


def _source_table(source: SourceSettings | None) -> str:
    """[source] of a party.toml; a JSON string is a TOML string."""
    if source is None:
        return ""
    values = source.model_dump(mode="json", exclude_defaults=True)
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()]
    return "\n".join(["[source]", *lines])


def _say_what_it_waits_for(party: Party, folder: Path) -> None:
    trusted = [f"{one.name} ({one.role})" for one in party.trusted]
    note(f"trusts {', '.join(trusted) or 'nobody yet: `tally party trust` takes their cards'}")
    with current_views(party) as views:
        open_jobs = [row["job"] for row in views.select(jobs()) if row["ended"] is None]
    if open_jobs:
        note(f"goes on with {', '.join(open_jobs)}")
    if party.role is Role.LOCAL:
        note(f"waits for a job: `tally train JOB.toml --as {folder}` in another terminal")
    else:
        askers = [one.name for one in party.trusted if one.role is Role.LOCAL]
        note(f"waits for jobs of {', '.join(askers) or 'a local party, once one is trusted'}")
    note("Ctrl-C stops it")
