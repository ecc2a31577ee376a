"""`--every 1h`: a command that repeats itself until it is stopped."""

import re
import time
from collections.abc import Callable
from typing import Annotated

import typer

from party.errors import PartyError
from party.stopping import stop_signals
from scoring.errors import ScoringError
from store.errors import StoreError
from tallystick.terminal import note

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
LONGEST_SECONDS = 31 * 86_400


def seconds_of(text: str) -> float:
    """Of 90s, 5m, 1h or 1d. Raises BadParameter."""
    found = re.fullmatch(r"([1-9][0-9]{0,6})([smhd])", text.strip())
    if found is None or int(found[1]) * UNITS[found[2]] > LONGEST_SECONDS:
        raise typer.BadParameter("write a number and s, m, h or d, as in 1h; at most 31d")
    return float(int(found[1]) * UNITS[found[2]])


Every = Annotated[
    float | None,
    typer.Option(
        "--every",
        metavar="TIME",
        parser=seconds_of,
        help="Repeat it here this often, as in 1h or 30m, until Ctrl-C.",
    ),
]


def every(seconds: float | None, once: Callable[[], None]) -> None:
    """Do it once, or again and again until SIGINT or SIGTERM; a run under way is finished.

    A later run that cannot be made, because an engine is busy or a file is not there, is told and
    left out; the first one has to go well.
    """
    if seconds is None:
        once()
        return
    with stop_signals() as stopping:
        began = time.monotonic()
        once()
        while not stopping.wait(max(0.0, seconds - (time.monotonic() - began))):
            began = time.monotonic()
            try:
                once()
            except (PartyError, ScoringError, StoreError) as error:
                note(f"left out this time: {error}")
    note("stopped")
