"""Reading a log where it lies, and leaving no trace: no lock that a writer meets, no file made."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, inspect, select
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from audit.errors import LogPlaceError
from store.database import CONNECT_SECONDS, parse_url
from store.entry import Entry, Refusal
from store.failures import database_failures
from store.tables import EVENTS, FORMAT, KEPT_PAYLOADS, LOG_HEAD, REFUSALS

PAGE = 5_000
ALL_KEPT = select(KEPT_PAYLOADS.c.commitment, KEPT_PAYLOADS.c.salted)


class DatabaseCopy:
    """The events up to where the log ended when it was opened. Raises LogPlaceError, StoreError."""

    def __init__(self, url: str) -> None:
        self._url = parse_url(url)
        self._engine = read_only_engine(self._url)
        with self.reading() as connection:
            try:
                row = connection.execute(select(LOG_HEAD.c.format, LOG_HEAD.c.position)).first()
            except Exception as error:
                raise LogPlaceError(f"{_shown(self._url)} holds no log") from error
        if row is None or row.format != FORMAT:
            raise LogPlaceError(f"{_shown(self._url)} holds a log of another release")
        self.head = int(row.position)

    def entries(self) -> Iterator[Entry]:
        """Page by page: a reader that takes long keeps nobody waiting."""
        after = 0
        query = select(EVENTS.c.position, EVENTS.c.canonical).order_by(EVENTS.c.position)
        while after < self.head:
            page = query.where(EVENTS.c.position > after, EVENTS.c.position <= self.head)
            with self.reading() as connection:
                rows = [tuple(row) for row in connection.execute(page.limit(PAGE))]
            yield from (Entry(position, bytes(canonical)) for position, canonical in rows)
            after = rows[-1][0] if rows else self.head

    def of_type(self, kind: str) -> Iterator[Entry]:
        """The events that the database calls so, which are few."""
        query = select(EVENTS.c.position, EVENTS.c.canonical).order_by(EVENTS.c.position)
        of_kind = query.where(EVENTS.c.type == kind, EVENTS.c.position <= self.head)
        with self.reading() as connection:
            rows = [tuple(row) for row in connection.execute(of_kind)]
        yield from (Entry(position, bytes(canonical)) for position, canonical in rows)

    def refusals(self) -> tuple[Refusal, ...]:
        with self.reading() as connection:
            query = select(REFUSALS).order_by(*REFUSALS.primary_key.columns)
            return tuple(Refusal(*row) for row in connection.execute(query))

    def kept_payloads(self) -> dict[str, bytes]:
        """Small payloads that may have no file yet, by commitment; older logs keep none."""
        with self.reading() as connection:
            if not inspect(connection).has_table(KEPT_PAYLOADS.name):
                return {}
            return {name: bytes(salted) for name, salted in connection.execute(ALL_KEPT)}

    def reading(self) -> "closing[Connection]":
        with database_failures(self._url):
            return closing(self._engine.connect())

    def close(self) -> None:
        self._engine.dispose()


def read_only_engine(url: URL) -> Engine:
    """An engine that cannot write, whatever it is asked."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(Path(str(url.database)))
    engine = create_engine(
        url,
        hide_parameters=True,
        poolclass=NullPool,
        connect_args={"connect_timeout": CONNECT_SECONDS},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:  # noqa: ANN401 - the driver's own objects
        connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        connection.commit()

    return engine


def _sqlite(path: Path) -> Engine:
    """A reader shares the write-ahead log of a file in use, and makes none where there is none."""
    if not path.is_file():
        raise LogPlaceError(f"{path} is no log: there is no such file")

    def connect() -> sqlite3.Connection:
        in_use = path.with_name(f"{path.name}-wal").exists()
        mode = "mode=ro" if in_use else "mode=ro&immutable=1"
        return sqlite3.connect(f"file:{quote(str(path.absolute()))}?{mode}", uri=True)

    return create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=True)
