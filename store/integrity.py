"""Whether a log's database is whole, asked of the database itself, without writing to it."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from store.database import open_engine, parse_url
from store.errors import StoreFormatError
from store.failures import database_failures
from store.tables import EVENTS, FORMAT, LOG_HEAD


@dataclass(frozen=True)
class LogFacts:
    """How many events, in which format, and the newest time that each issuer wrote."""

    place: str
    events: int
    format: int
    newest: dict[str, str]


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite log; None for a server's."""
    address = parse_url(url)
    return Path(str(address.database)) if address.get_backend_name() == "sqlite" else None


def inspect_log(url: str) -> LogFacts:
    """Raises StoreFormatError: damaged, of another release, or with gaps; StoreError.

    A log that does not exist yet is an error too: ask `sqlite_file` first.
    """
    address, file = parse_url(url), sqlite_file(url)
    if file is not None:
        with database_failures(address):
            _check_pages(file)
    engine = open_engine(url)
    try:
        with database_failures(address), engine.begin() as connection:
            form, head = connection.execute(select(LOG_HEAD.c.format, LOG_HEAD.c.position)).one()
            counted = connection.execute(
                select(func.count(), func.coalesce(func.max(EVENTS.c.position), 0))
            ).one()
            times = select(EVENTS.c.source, func.max(EVENTS.c.time)).group_by(EVENTS.c.source)
            newest = {row[0]: row[1] for row in connection.execute(times)}
    finally:
        engine.dispose()
    place = address.render_as_string(hide_password=True)
    if form != FORMAT:
        raise StoreFormatError(
            f"{place} has format {form}, this release reads {FORMAT}: use the release that made it"
        )
    if tuple(counted) != (head, head):
        raise StoreFormatError(
            f"{place} says it has {head} events and has {counted[0]}: restore it from a backup"
        )
    return LogFacts(place, head, form, newest)


def _check_pages(file: Path) -> None:
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        found = [row[0] for row in connection.execute("PRAGMA quick_check")]
    if found != ["ok"]:
        raise StoreFormatError(f"{file} is damaged ({found[0]}): restore it from a backup")
