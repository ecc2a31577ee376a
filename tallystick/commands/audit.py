"""`tally audit`: prove what every party did, from logs alone (requirement D4)."""

import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from audit.collecting import rarely_collecting
from audit.comparison import Comparison, compare
from audit.export import check_place
from audit.findings import CheckResult
from audit.log_copy import LogCopy
from audit.opening import open_log
from audit.report.page import make_report, render
from audit.verification import EVERY_CHECK, QUICK_CHECKS, Verification, verify
from events.card import PartyCard
from party.trust import read_card
from tallystick.commands.again import reexecute_log, replay_log
from tallystick.commands.opening import open_under_escrow
from tallystick.commands.proofs import check_proof, checkpoint, prove
from tallystick.terminal import note, say, show_table

LONGEST_LIST = 20
NOT_HELD = 1

audit_app = typer.Typer(
    help="Check, compare, replay and re-execute logs. Each LOG is a file of `tally log export`, a "
    "party's folder (read only, also while it runs) or a database address."
)
audit_app.command("checkpoint")(checkpoint)
audit_app.command("prove")(prove)
audit_app.command("check-proof")(check_proof)
audit_app.command("replay")(replay_log)
audit_app.command("reexecute")(reexecute_log)
audit_app.command("open")(open_under_escrow)


@audit_app.callback()
def _begin(context: typer.Context) -> None:
    context.with_resource(rarely_collecting())


Logs = Annotated[list[str], typer.Argument(metavar="LOG…", help="The logs.")]
Cards = Annotated[
    list[Path] | None,
    typer.Option(
        "--card",
        metavar="FILE",
        help="A party's card, got from its owner; repeat it. What a log brings is only compared.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


@audit_app.command("verify")
def verify_logs(
    logs: Logs,
    card: Cards = None,
    payloads: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where a database's payloads lie.")
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Only schema, digests and chain: no signatures, no payloads."),
    ] = False,
    cores: Annotated[
        int, typer.Option(min=1, help="How many cores to use; all of them without this.")
    ] = os.cpu_count() or 1,
    as_json: AsJson = False,
) -> None:
    """Check everything that a log shows by itself, and say what holds, what fails and where.

    Exit code 0 when everything holds, 1 when anything fails. What a single log cannot show is in
    the notes; `tally audit compare` looks at several together.
    """
    results = []
    for place in logs:
        with open_log(place, read_cards(card), payloads) as copy:
            checks = QUICK_CHECKS if quick else EVERY_CHECK
            results.append(verify(copy, cores=cores, checks=checks))
    if as_json:
        documents = ",\n".join(one.model_dump_json() for one in results)
        typer.echo(f"[{documents}]")
    else:
        for result in results:
            show_verification(result)
    if not all(one.holds for one in results):
        raise typer.Exit(NOT_HELD)


@audit_app.command("compare")
def compare_logs(
    logs: Logs,
    card: Cards = None,
    cores: Annotated[
        int, typer.Option(min=1, help="How many cores to use; all of them without this.")
    ] = os.cpu_count() or 1,
    as_json: AsJson = False,
) -> None:
    """Hold two or more parties' logs against each other: what no single log can show.

    The same version of every event on both sides, nothing missing, causes before effects, and what
    each party signed about its log against that log. Exit code 0 when everything holds, 1 if not.
    """
    if len(logs) < 2:
        raise typer.BadParameter("name at least two logs")
    if len(set(logs)) < len(logs):
        raise typer.BadParameter("a log agrees with itself: name the logs of different parties")
    with ExitStack() as stack:
        copies = [stack.enter_context(open_log(place, read_cards(card))) for place in logs]
        result = compare(copies, cores=cores)
    if as_json:
        typer.echo(result.model_dump_json(indent=1))
    else:
        show_comparison(result)
    if not result.holds:
        raise typer.Exit(NOT_HELD)


@audit_app.command("report")
def report_logs(
    logs: Logs,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The HTML file to write.")],
    card: Cards = None,
    cores: Annotated[
        int, typer.Option(min=1, help="How many cores to use; all of them without this.")
    ] = os.cpu_count() or 1,
) -> None:
    """Write one page that says what happened and what holds: for people, on paper, on a phone.

    It loads nothing from anywhere. Of one party's log with payloads it shows that party's half of
    the models; over several parties it shows digests only. Exit code as of verify and compare.
    """
    check_place(out)
    with ExitStack() as stack:
        copies = [stack.enter_context(open_log(place, read_cards(card))) for place in logs]
        result = make_report(copies, cores=cores)
    write_whole(out, render(result))
    note(f"{out}: trainings: {len(result.jobs)}, predictions: {len(result.predictions)}")
    if not result.holds:
        note("something does not hold: the report says what and where")
        raise typer.Exit(NOT_HELD)


def write_whole(path: Path, text: str) -> None:
    """All of it or nothing; for this user alone, as it may tell of private events."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_cards(paths: list[Path] | None) -> list[PartyCard]:
    return [read_card(path) for path in paths or ()]


def described(copy: LogCopy | Verification) -> str:
    """`bank.tally: the log of bank, job spring, without private events`."""
    scope = copy.scope if isinstance(copy, LogCopy) else copy
    job = f", job {scope.job}" if scope.job else ""
    private = "" if scope.private else ", without private events"
    return f"{copy.place}: the log of {copy.party}{job}{private}"


def show_verification(result: Verification) -> None:
    say(described(result))
    say(f"{result.events:,} events of {result.log_size:,}; root {result.root or 'not known'}")
    for name, fingerprint in result.fingerprints.items():
        say(f"key of {name}: {fingerprint}", style="dim")
    say("")
    _show_checks(result.checks)
    say("everything holds" if result.holds else "THIS LOG DOES NOT HOLD")
    say("")


def show_comparison(result: Comparison) -> None:
    for log in result.logs:
        say(log)
    say(f"{result.events:,} shared events in jobs {', '.join(result.jobs) or '(none)'}")
    say("")
    _show_checks(result.checks)
    say("the logs agree" if result.holds else "THESE LOGS CONTRADICT EACH OTHER")


def _show_checks(checks: Sequence[CheckResult]) -> None:
    rows = [(str(one.check), _verdict(one), f"{one.examined:,}") for one in checks]
    show_table(("check", "result", "examined"), rows, right="examined")
    for one in checks:
        for finding in one.findings[:LONGEST_LIST]:
            say(f"FAILS  {one.check}: {finding.place}: {finding.detail}")
        if len(one.findings) > LONGEST_LIST:
            say(f"FAILS  {one.check}: and {len(one.findings) - LONGEST_LIST:,} more; see --json")
    for one in checks:
        for text in one.notes:
            note(f"note: {one.check}: {text}")


def _verdict(result: CheckResult) -> str:
    if not result.holds:
        return f"FAILS ({len(result.findings):,})"
    return "holds" if result.examined else "nothing to check"
