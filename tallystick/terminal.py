"""The two ends of a command: results to stdout, everything said along the way to stderr."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console

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
    """Rows under headings; columns named in `right` (space between) are numbers.

    Nothing is cut: a long cell comes out whole, in a pipe or a file as on a terminal.
    """
    lines = [tuple(headings), *map(tuple, rows)]
    widths = [max(cell_len(line[column]) for line in lines) for column in range(len(headings))]
    numbers = right.split()
    for number, line in enumerate(lines):
        cells = []
        for heading, width, cell in zip(headings, widths, line, strict=True):
            gap = " " * (width - cell_len(cell))
            cells.append(gap + cell if heading in numbers else cell + gap)
        say("  ".join(cells).rstrip(), style=None if number else "dim")
