"""`tally`: the front door. A mistake costs one line on stderr, never a traceback.

Exit codes: 0 good, 1 the job failed or was declined, 2 the user's mistake or a place that cannot
be reached, 70 a fault of the program, 130 interrupted, 141 nobody reads the output any more.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from audit.errors import AuditError
from bus.errors import BusError
from events.errors import EventError
from handlers.errors import HandlersError
from learning.errors import LearningError
from paillier.errors import PaillierError
from party.errors import PartyError
from projections.errors import ProjectionError
from scoring.errors import ScoringError
from store.errors import StoreError
from tallystick.commands.audit import audit_app
from tallystick.commands.bench import bench
from tallystick.commands.board import board
from tallystick.commands.broker import broker_app
from tallystick.commands.convert import convert
from tallystick.commands.demo import demo
from tallystick.commands.escrow import escrow_app
from tallystick.commands.features import features_app
from tallystick.commands.identify import identify
from tallystick.commands.job import job_app
from tallystick.commands.log import log_app
from tallystick.commands.mart import mart_app
from tallystick.commands.model import model_app
from tallystick.commands.party import party_app
from tallystick.commands.payloads import payloads_app
from tallystick.commands.precompute import precompute
from tallystick.commands.projections import projections_app
from tallystick.commands.schema import schema
from tallystick.commands.score import score_app
from tallystick.commands.secret import secret_app
from tallystick.commands.serve import serve
from tallystick.commands.train import train
from tallystick.errors import JobFailedError, TallyError
from tallystick.log_output import configure_logging, is_debugging
from tallystick.terminal import note, say

JOB_FAILED, USER_MISTAKE, PROGRAM_FAULT, INTERRUPTED, READER_GONE = 1, 2, 70, 130, 141

KNOWN_ERRORS = (
    TallyError,
    AuditError,
    PartyError,
    StoreError,
    BusError,
    EventError,
    HandlersError,
    LearningError,
    PaillierError,
    ProjectionError,
    ScoringError,
)
# Typer brings its own copy of click, or imports it, depending on its release.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="tally",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo)
app.add_typer(party_app, name="party")
app.add_typer(broker_app, name="broker")
app.add_typer(job_app, name="job")
app.command()(train)
app.add_typer(mart_app, name="mart")
app.command()(convert)
app.add_typer(model_app, name="model")
score_app.command()(precompute)
app.add_typer(score_app, name="score")
app.command()(identify)
app.command()(serve)
app.add_typer(features_app, name="features")
app.add_typer(log_app, name="log")
app.add_typer(payloads_app, name="payloads")
app.add_typer(audit_app, name="audit")
app.command()(board)
app.add_typer(secret_app, name="secret")
app.add_typer(escrow_app, name="escrow")
app.add_typer(projections_app, name="projections")
app.command()(schema)
app.command()(bench)


@app.callback(invoke_without_command=True)
def tally(
    context: typer.Context,
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", hidden=True)] = False,
) -> None:
    """Vertical federated learning with an auditable event log.

    A bank and its data partners train one model over the customers they share. Nobody shows
    anybody their data, and every party keeps a signed log of all that was said.

    See it work on this machine: `tally demo`

    For real, every member makes a party, hands its card to the others and runs:

    - `tally party new bank --role local --name bank --data customers.csv`
    - `tally party card bank --out bank.json`
    - `tally party trust bank partner.json arbiter.json`
    - `tally party run bank`

    The bank then asks for a model:

    - `tally job new job.toml --as bank`
    - `tally train job.toml --as bank`

    The model becomes a table on either side, and customers are scored by SQL:

    - `tally score MODEL_ID --as bank --ids customers.csv --out scores.csv`
    """
    if debug:
        os.environ["TALLY_DEBUG"] = "1"
        configure_logging()
    if show_version:
        say(f"tally {_version()}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    configure_logging()
    command = typer.main.get_command(app)
    try:
        code = command.main(
            args=None if arguments is None else list(arguments),
            prog_name="tally",
            standalone_mode=False,
        )
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # the latter is how Typer and Rich tell of the former
        return _end_unread()
    except Exception as error:  # noqa: BLE001 - whatever happens becomes one line
        if is_debugging():
            traceback.print_exc()
        return _tell(error)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    return code if isinstance(code, int) else 0


def _end_unread() -> int:
    """`tally log show DIR | head` ends as quietly as SIGPIPE would end it."""
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    return READER_GONE


def _tell(error: Exception) -> int:
    """Say in one line what is wrong; returns the exit code."""
    if isinstance(error, typer.Abort):
        return INTERRUPTED
    message = _message(error)
    if message is None:
        # Its text may quote data, so only its kind is told.
        note(
            f"tally: a fault of the program ({type(error).__name__}); please report it with the "
            "output of the same command under TALLY_DEBUG=1"
        )
        return PROGRAM_FAULT
    note("tally: " + " ".join(message.replace("Value error, ", "").split()))
    return JOB_FAILED if isinstance(error, JobFailedError) else USER_MISTAKE


def _message(error: Exception) -> str | None:
    if isinstance(error, KNOWN_ERRORS):
        return str(error)
    if isinstance(error, UsageError):
        return _usage_message(error)
    if isinstance(error, ValidationError):
        details = error.errors(include_input=False, include_url=False)
        return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in details)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'the system says'}: {error.strerror}"
    return None


def _usage_message(error: Exception) -> str:
    """Click's message, and where the command is explained."""
    text: str = error.format_message().rstrip(".")  # type: ignore[attr-defined]
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "tally"
    return f"{text}. `{command} --help` explains."


def _version() -> str:
    try:
        return version("tallystick")
    except PackageNotFoundError:
        return "(not installed)"
