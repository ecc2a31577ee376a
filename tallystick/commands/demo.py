"""`tally demo`: train a joint model on this machine, on real data."""

import datetime as dt
import logging
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from events.terms import Profile
from party.sources import SourceSettings
from tallystick.demo.federation import DEFAULT_LEAK_BUDGETS, DemoOptions
from tallystick.demo.run import run_demo
from tallystick.demo.show import RoundPrinter, show_headline, show_summary
from tallystick.errors import DemoError
from tallystick.log_output import configure_logging

SHIPPED = ("term_deposit", "high_income")

BankFile = Annotated[
    Path | None, typer.Option(help="The bank's own CSV or Parquet file, with the label.")
]
PartnerFile = Annotated[
    Path | None, typer.Option(help="The partner's CSV or Parquet file, same customers.")
]


def demo(
    data: Annotated[
        str, typer.Option(help=f"Shipped data set: {' or '.join(SHIPPED)}.")
    ] = "term_deposit",
    bank: BankFile = None,
    partner: PartnerFile = None,
    participants: Annotated[
        int, typer.Option(min=1, max=64, help="Divide the partner's columns between so many.")
    ] = 1,
    profile: Annotated[
        str, typer.Option(help="default, or patent: the source's method to the letter.")
    ] = "default",
    mart: Annotated[
        bool,
        typer.Option("--mart", help="A data mart delivers the partner's numbers, without names."),
    ] = False,
    broker: Annotated[
        str | None, typer.Option(help="amqp://… of a RabbitMQ; else an embedded bus.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the parties' folders go.")] = Path(
        "tallystick-demo"
    ),
    identifier: Annotated[
        str | None, typer.Option("--id", help="Customer id column, in both files.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="Label column in the bank's file.")] = None,
    observed_on: Annotated[
        str | None, typer.Option(help="Day to which dates are counted, YYYY-MM-DD.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print summary.json, no text.")] = False,
    leak_budget: Annotated[
        float | None,
        typer.Option(min=0.0, help="Equations a row that a party may learn about another's data."),
    ] = None,
    key_bits: Annotated[int, typer.Option(hidden=True)] = 2048,
) -> None:
    """Train a joint model of a bank and a partner, who never show each other their data.

    Three parties (bank, partner, arbiter), each with its own log, run on this machine. Nothing
    has to be set up: embedded bus, SQLite logs, real data that comes with the program. The
    run leaves a folder for each party and summary.json.

    Your own data: --bank FILE --partner FILE, two tables about overlapping customers.
    """
    (name, bank_file, partner_file), day = _files(data, bank, partner), _day(observed_on)
    chosen = _profile(profile)
    options = DemoOptions(
        name=name,
        bank=SourceSettings(file=str(bank_file), id=identifier, label=label, observed_on=day),
        partner=SourceSettings(file=str(partner_file), id=identifier, observed_on=day),
        out=out.absolute(),
        participants=participants,
        profile=chosen,
        broker=broker,
        leak_budget=leak_budget or DEFAULT_LEAK_BUDGETS[chosen],
        key_bits=key_bits,
        mart=mart,
    )
    _run(options, out, as_json=as_json)


def _run(options: DemoOptions, out: Path, *, as_json: bool) -> None:
    configure_logging(logging.ERROR)  # the screen says what is worth a warning, once
    console = Console(stderr=as_json, highlight=False)
    show_headline(console, options)
    printer = RoundPrinter(console, options.profile)
    summary = run_demo(options, printer, printer.say)
    if as_json:
        typer.echo(summary.model_dump_json(indent=1))
    else:
        show_summary(console, summary, out)


def _files(data: str, bank: Path | None, partner: Path | None) -> tuple[str, Path, Path]:
    """The name of the run and its two files, which exist."""
    if (bank is None) != (partner is None):
        raise DemoError("your own data needs both --bank FILE and --partner FILE")
    if bank is not None and partner is not None:
        name = bank.name.split(".")[0].removesuffix("_bank")
        found = name, bank.absolute(), partner.absolute()
    elif data in SHIPPED:
        folder = Path(str(files("tallystick"))) / "data"
        found = data, folder / f"{data}_bank.csv.gz", folder / f"{data}_partner.csv.gz"
    else:
        raise DemoError(
            f"{data!r} is not shipped: use {' or '.join(SHIPPED)}, or --bank and --partner"
        )
    for file in found[1:]:
        if not file.is_file():
            raise DemoError(f"{file} is not a file")
    return found


def _profile(text: str) -> Profile:
    if text not in {"default", "patent"}:
        raise DemoError(f"profile {text!r} is unknown: use default or patent")
    return "patent" if text == "patent" else "default"


def _day(text: str | None) -> dt.date | None:
    try:
        return None if text is None else dt.date.fromisoformat(text)
    except ValueError:
        raise DemoError(f"--observed-on {text!r} is no date: write YYYY-MM-DD") from None
