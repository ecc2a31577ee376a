"""Every view again, from the log alone, at any time; and the party's tables beside them (D3)."""

import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice, takewhile
from pathlib import Path

from pydantic import computed_field
from sqlalchemy import inspect, select

from audit.database_copy import read_only_engine
from audit.errors import EvidenceError
from audit.log_copy import LogCopy
from events.envelope import format_time
from events.vocabulary import Frozen
from projections.views import CHECKPOINTS, PROJECTIONS, Views, rows_digest
from store.database import parse_url
from store.entry import Entry
from store.failures import database_failures


class ReplayedView(Frozen):
    """One projection made again; `same` is None where there was nothing to compare with."""

    name: str
    digest: str
    tables_at: int | None = None
    same: bool | None = None
    note: str = ""


class Replay(Frozen):
    """The views as of a position of the log."""

    place: str
    party: str
    position: int
    time: str
    views: tuple[ReplayedView, ...]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def holds(self) -> bool:
        return all(view.same is not False for view in self.views)


class _Entries:
    """Entries read once and forwards, as views do; `last` is the newest so far."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = iter(entries)
        self.last: Entry | None = None

    def read(self, after: int, limit: int) -> list[Entry]:
        page = list(islice((one for one in self._entries if one.position > after), limit))
        self.last = page[-1] if page else self.last
        return page


def replay(copy: LogCopy, views_file: Path, until: str | None = None) -> Replay:
    """Make every view again in a new SQLite file, up to a position or a time, and compare.

    The party's own tables are compared at the position that they have reached, where that is not
    behind `until`. Constant memory, however long the log. Raises EvidenceError for an `until` that
    is neither, ProjectionError, StoreError.
    """
    entries = _Entries(_until(copy, until))
    views = Views(f"sqlite:///{views_file.absolute()}", copy.payloads)
    try:
        views.catch_up(entries)
        digests = views.digests()
    finally:
        views.close()
    last = entries.last
    position = last.position if last else 0
    reached = _reached(copy) if until is None else {}
    return Replay(
        place=copy.place,
        party=copy.party,
        position=position,
        time=last.envelope.time if last else "",
        views=tuple(
            _compared(copy, position, name, digest, reached) for name, digest in digests.items()
        ),
    )


def _until(copy: LogCopy, until: str | None) -> Iterable[Entry]:
    if until is None:
        return copy.entries()
    if until.isdecimal():
        return _up_to(copy, int(until))
    try:
        moment = datetime.fromisoformat(until)
    except ValueError:
        raise EvidenceError(
            f"{until} is no position and no time: write 120, or 2026-01-31T12:00:00"
        ) from None
    last = format_time(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    return takewhile(lambda entry: entry.envelope.time <= last, copy.entries())


def _up_to(copy: LogCopy, position: int) -> Iterable[Entry]:
    return takewhile(lambda entry: entry.position <= position, copy.entries())


def _reached(copy: LogCopy) -> dict[str, tuple[int, int]]:
    """Version and position of the party's tables, by projection; empty where there are none."""
    if copy.views is None:
        return {}
    url = parse_url(copy.views)
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).is_file():
        return {}
    engine = read_only_engine(url)
    with database_failures(url), engine.connect() as connection:
        if not inspect(connection).has_table(CHECKPOINTS.name):
            return {}
        rows = connection.execute(select(CHECKPOINTS))
        return {row.name: (row.version, row.position) for row in rows}


def _compared(
    copy: LogCopy,
    newest: int,
    name: str,
    digest: str,
    reached: dict[str, tuple[int, int]],
) -> ReplayedView:
    projection = next(one for one in PROJECTIONS if one.name == name)
    if name not in reached:
        return ReplayedView(name=name, digest=digest, note="no table to compare with")
    version, position = reached[name]
    if version != projection.version:
        note = f"the party's table is of version {version}, this release makes {projection.version}"
        return ReplayedView(name=name, digest=digest, tables_at=position, note=note)
    if position < newest:
        digest = _digest_at(copy, name, position)
    url = parse_url(str(copy.views))
    with database_failures(url), read_only_engine(url).connect() as connection:
        same = rows_digest(connection, projection) == digest
    return ReplayedView(name=name, digest=digest, tables_at=position, same=same)


def _digest_at(copy: LogCopy, name: str, position: int) -> str:
    """The tables lag behind the log: what they should say there."""
    projection = next(one for one in PROJECTIONS if one.name == name)
    with tempfile.TemporaryDirectory() as folder:
        views = Views(f"sqlite:///{folder}/views.sqlite", copy.payloads, [projection])
        try:
            views.catch_up(_Entries(_up_to(copy, position)))
            return views.digest(projection)
        finally:
            views.close()
