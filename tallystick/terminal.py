"""The two ends of a command: results to stdout, everything said along the way to stderr."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

WIDTH_OF_A_FILE = 200  # a table that goes to a file or a pipe is not cut to a terminal's width

_results = Console(highlight=False, markup=False, emoji=False)
_notes = Console(stderr=True, highlight=False, markup=False, emoji=False)


def result_console() -> Console:
    return _results


def note_console() -> Console:
    return _notes


def say(text: str, style: str | None = None) -> None:
    """One line of a result, never folded."""
    _results.print(text, style=style, soft_wrap=True)


def note(text: str, style: str | None = None) -> None:
    """One line of what goes on, never folded."""
    _notes.print(text, style=style, soft_wrap=True)


def show_table(headings: Sequence[str], rows: Iterable[Sequence[str]], right: str = "") -> None:
    """Rows under headings; columns named in `right` (space between) are numbers."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    numbers = right.split()
    for heading in headings:
        table.add_column(heading, justify="right" if heading in numbers else "left")
    for row in rows:
        table.add_row(*row)
    _results.print(table, width=None if _results.is_terminal else WIDTH_OF_A_FILE)
