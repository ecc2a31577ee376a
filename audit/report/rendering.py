"""Templates, and how numbers and times are written: one way for the report and the board."""

from functools import cache
from importlib.resources import files

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from projections.projection import storable

SIZES = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))


def environment(*packages: str) -> Environment:
    """Templates of this room, after those of the folder `pages` of other packages."""
    loaders = [PackageLoader(name, "pages") for name in (*packages, "audit.report")]
    made = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        duration=duration,
        measure=measure,
        moment=moment,
        plain=storable,
        size=size,
        thousands=thousands,
    )
    return made


@cache
def stylesheet() -> Markup:
    """The one style sheet; from this package, so it goes into a page as it is."""
    text = files("audit.report").joinpath("pages/page.css").read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704


def moment(time: str | None) -> str:
    """`2026-01-31 12:00:00 UTC` of an event's time."""
    return f"{time[:10]} {time[11:19]} UTC" if time else "–"


def duration(seconds: float) -> str:
    """`1.2 s`, `3 min 05 s`, `2 h 10 min`, `4 d 3 h`."""
    whole = round(seconds)
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def thousands(value: int) -> str:
    return f"{value:,}"


def size(value: int) -> str:
    for unit, bytes_of_unit in SIZES:
        if value >= bytes_of_unit:
            return f"{value / bytes_of_unit:.1f} {unit}"
    return f"{value:,} bytes"


def measure(value: float) -> str:
    """Losses in decimals; predicted decreases are small, and compared with a power of ten."""
    return f"{value:.4f}" if abs(value) >= 0.01 else f"{value:.2e}"
