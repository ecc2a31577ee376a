"""Opening a database: SQLite files with write-ahead log, or PostgreSQL."""

import contextlib
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from store.errors import StoreError
from store.failures import database_failures, disk_failures

BUSY_SECONDS = 30.0
CONNECT_SECONDS = 10
OPENING_LOCK = 7_415_927_011  # any number of our own: PostgreSQL's advisory locks are numbered

Durability = Literal["every commit", "relaxed"]


def open_engine(url: str, durability: Durability = "every commit") -> Engine:
    """An engine whose transactions begin as writers where the option `writes` says so.

    "every commit" is on the disk before the commit returns; "relaxed" may lose the last commits
    in a power failure (never order, never half of one) and is for what can be rebuilt.
    """
    address = parse_url(url)
    if address.get_backend_name() == "sqlite":
        return _open_sqlite(address, durability)
    return _open_postgresql(address, durability)


def parse_url(url: str) -> URL:
    try:
        address = make_url(url)
    except ArgumentError:
        raise StoreError(
            "the database address cannot be read: write sqlite:////path/to/file or "
            "postgresql+psycopg://user:password@host/database"
        ) from None
    if address.drivername in {"sqlite", "sqlite+pysqlite"}:
        if not address.database or address.database.startswith((":", "file:")):
            raise StoreError("a log needs a file: write sqlite:////path/to/file")
    elif address.drivername != "postgresql+psycopg":
        raise StoreError(
            f"a log cannot be kept in {address.drivername}: use sqlite or postgresql+psycopg"
        )
    return address


def lock_while_creating(connection: Connection) -> None:
    """Let one process at a time create tables; SQLite's writers are alone already."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({OPENING_LOCK})")


def _open_sqlite(address: URL, durability: Durability) -> Engine:
    path = Path(str(address.database))
    with disk_failures(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Only a new file: closing an existing one would drop this process's locks on it (POSIX),
        # and another process would then remove the write-ahead log under our feet.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        path.chmod(0o600)
    with database_failures(address):
        _use_write_ahead_log(path)
    synchronous = "FULL" if durability == "every commit" else "NORMAL"
    engine = create_engine(
        address, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS, "uri": False}
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:  # noqa: ANN401 - the driver's own objects
        connection.isolation_level = None  # the driver must not begin transactions of its own
        connection.execute(f"PRAGMA synchronous={synchronous}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.connection.cursor().execute("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _use_write_ahead_log(path: Path) -> None:
    """Kept in the file for good; SQLite does not wait for other openers here, so we do."""
    give_up = time.monotonic() + BUSY_SECONDS
    with closing(sqlite3.connect(path)) as connection:
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                    raise
                time.sleep(0.01)
            else:
                return


def _open_postgresql(address: URL, durability: Durability) -> Engine:
    engine = create_engine(
        address,
        hide_parameters=True,
        pool_pre_ping=True,
        connect_args={"connect_timeout": CONNECT_SECONDS},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:  # noqa: ANN401 - the driver's own objects
        synchronous = "on" if durability == "every commit" else "off"
        connection.execute(f"SET synchronous_commit = {synchronous}")
        connection.execute(f"SET lock_timeout = '{int(BUSY_SECONDS)}s'")
        connection.commit()

    return engine
