"""Reading a SQL query's result at any SQLAlchemy address (requirement P1)."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from numbers import Real
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)

from party.column_spool import ColumnSpool
from party.errors import SourceError
from party.raw import Choose, ColumnKind, RawTable

# Python's own objects are several times larger than the numbers that become of them.
VALUES_AT_A_TIME = 1 << 20
EPOCH = dt.date(1970, 1, 1)


def read_query(url: str, query: str, choose: Choose, folder: Path | None = None) -> RawTable:
    """Read the chosen columns of a query, by way of a file in `folder`.

    Raises SourceError; a password is never in its text.
    """
    try:
        engine = create_engine(url)
    except NoSuchModuleError:
        raise SourceError("its url names a database unknown to SQLAlchemy") from None
    except ModuleNotFoundError as error:
        raise SourceError(f"its database needs the Python package {error.name}") from None
    except ArgumentError:
        raise SourceError("its url is not a SQLAlchemy address (dialect://…)") from None
    try:
        with engine.connect() as connection:
            return _read(connection, query, choose, folder)
    except SQLAlchemyError as error:
        raise SourceError(f"{_reason(error)}") from None
    finally:
        engine.dispose()


def _read(connection: Connection, query: str, choose: Choose, folder: Path | None) -> RawTable:
    # A colon in the query is the query's own, not a parameter.
    result = connection.execution_options(stream_results=True).execute(
        text(query.replace(":", "\\:"))
    )
    names = list(result.keys())
    choice = choose(names)
    ids: list[str | None] = []
    spool = ColumnSpool(choice.measured, folder)
    kinds: dict[str, ColumnKind] = {}
    for rows in result.partitions(max(1, VALUES_AT_A_TIME // len(names))):
        columns = dict(zip(names, zip(*rows, strict=True), strict=True))
        ids += [_id(value, choice.id) for value in columns[choice.id]]
        for name in choice.measured:
            _keep(spool, kinds, name, columns[name])
    return RawTable(choice, ids, spool)


def _id(value: object, name: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    whole = isinstance(value, (int, UUID)) and not isinstance(value, bool)
    if whole or (isinstance(value, Decimal) and value == value.to_integral_value()):
        return f"{value:f}" if isinstance(value, Decimal) else str(value)
    raise SourceError(f"the id column {name} is neither text nor whole numbers; cast it to text")


def _keep(
    spool: ColumnSpool, kinds: dict[str, ColumnKind], name: str, values: Sequence[Any]
) -> None:
    """Some rows of a column, whose kind is that of its first values; missing ones have none."""
    found = {_kind(name, value) for value in values if value is not None}
    if not found:
        spool.append_missing(name, len(values))
        return
    kind = kinds.setdefault(name, next(iter(found)))
    if found != {kind}:
        raise SourceError(f"the column {name} mixes numbers, dates or text; cast it in the query")
    if kind is ColumnKind.TEXT:
        spool.append_texts(name, pa.array(values, pa.string()))
        return
    number = _days if kind is ColumnKind.DATE else float
    floats = [np.nan if value is None else number(value) for value in values]
    spool.append(name, kind, np.array(floats, np.float64))


def _kind(name: str, value: object) -> ColumnKind:
    if isinstance(value, (Real, Decimal)):
        return ColumnKind.NUMBER
    if isinstance(value, dt.date):
        return ColumnKind.DATE
    if isinstance(value, str):
        return ColumnKind.TEXT
    raise SourceError(
        f"the column {name} is of type {type(value).__name__}, which no model reads; leave it out "
        f'(exclude = ["{name}"])'
    )


def _days(value: dt.date) -> float:
    day = value.date() if isinstance(value, dt.datetime) else value
    return float((day - EPOCH).days)


def _reason(error: SQLAlchemyError) -> str:
    """What the database says about the query or the connection, but not about the rows."""
    if isinstance(error, (OperationalError, ProgrammingError)):
        return str(error.orig).strip().splitlines()[0]
    if isinstance(error, DatabaseError):
        return f"{type(error.orig).__name__} while reading the rows; check the query's conversions"
    return type(error).__name__
