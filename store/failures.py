"""Failures of databases and disks, told in the words of this room."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import psycopg
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from store.errors import (
    StoreBusyError,
    StoreError,
    StoreFormatError,
    StoreFullError,
    StoreReadOnlyError,
    StoreUnreachableError,
)

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


@contextmanager
def disk_failures(place: object) -> Iterator[None]:
    """Raise an OSError of the body as the StoreError that it means."""
    try:
        yield
    except OSError as error:
        raise from_os_error(error, place) from error


def from_os_error(error: OSError, place: object) -> StoreError:
    if error.errno in FULL:
        return StoreFullError(f"no space is left for {place}: free some, then start again")
    if error.errno in READ_ONLY:
        return StoreReadOnlyError(f"{place} cannot be written: give this user write access")
    return StoreUnreachableError(f"{place} cannot be used: {error.strerror or error}")


def database_failures(url: URL) -> AbstractContextManager[None]:
    """Raise a database's error of the body as the StoreError that it means."""
    return _DatabaseFailures(url)


class _DatabaseFailures(AbstractContextManager[None]):
    """A class, for every statement of a log goes through it."""

    def __init__(self, url: URL) -> None:
        self._url = url

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, SQLAlchemyError | sqlite3.Error | psycopg.Error):
            raise from_database_error(error, self._url) from error


def from_database_error(error: Exception, url: URL) -> StoreError:
    place = url.render_as_string(hide_password=True)
    if isinstance(error, PoolTimeoutError):
        return StoreBusyError(f"all connections to {place} are in use")
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        kind, advice = _sqlite_meaning(cause)
    else:
        kind, advice = _server_meaning(getattr(cause, "sqlstate", None))
    return kind(f"{place}: {_first_line(cause, url)}; {advice}")


def _first_line(cause: object, url: URL) -> str:
    line = (str(cause).splitlines() or ["no details"])[0]
    return line.replace(str(url.password), "***") if url.password else line


def _sqlite_meaning(cause: sqlite3.Error) -> tuple[type[StoreError], str]:
    code = getattr(cause, "sqlite_errorcode", None)
    match code & 0xFF if code is not None else None:  # the low byte is the primary code
        case sqlite3.SQLITE_FULL:
            return StoreFullError, "free some space, then start again"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return StoreReadOnlyError, "give this user write access to the file and its folder"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreBusyError, "another process holds the log: is a second party running on it?"
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return StoreFormatError, "the file is not a whole database: restore it from a backup"
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_IOERR:
            return StoreUnreachableError, "check the path and the disk"
        case _:
            return StoreError, "the database refused the statement"


def _server_meaning(sqlstate: str | None) -> tuple[type[StoreError], str]:
    match sqlstate:
        case None:
            return StoreUnreachableError, "check that the server runs, the address and the password"
        case "53100":
            return StoreFullError, "free some space on the server, then start again"
        case "25006" | "42501":
            return StoreReadOnlyError, "give this user the right to write"
        case "55P03" | "57014" | "40P01":
            return StoreBusyError, "another process holds the log: is a second party running on it?"
        case _ if sqlstate[:2] in {"08", "28", "3D", "53", "57"}:
            return StoreUnreachableError, "check that the server runs, the address and the password"
        case _:
            return StoreError, "the database refused the statement"
