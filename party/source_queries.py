"""Reading a SQL query's result at any SQLAlchemy address (requirement P1)."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from numbers import Real
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
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

from party.errors import SourceError
from party.raw import Choose, ColumnKind, RawColumn, RawTable

ROWS_AT_A_TIME = 5_000
EPOCH = dt.date(1970, 1, 1)


def read_query(url: str, query: str, choose: Choose) -> RawTable:
    """Read the chosen columns of a query. Raises SourceError; a password is never in its text."""
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
            return _read(connection, query, choose)
    except SQLAlchemyError as error:
        raise SourceError(f"{_reason(error)}") from None
    finally:
        engine.dispose()


def _read(connection: Connection, query: str, choose: Choose) -> RawTable:
    # A colon in the query is the query's own, not a parameter.
    result = connection.execution_options(stream_results=True).execute(
        text(query.replace(":", "\\:"))
    )
    names = list(result.keys())
    choice = choose(names)
    ids: list[str | None] = []
    pieces: dict[str, list[RawColumn]] = {name: [] for name in choice.measured}
    for rows in result.partitions(ROWS_AT_A_TIME):
        columns = dict(zip(names, zip(*rows, strict=True), strict=True))
        ids += [_id(value, choice.id) for value in columns[choice.id]]
        for name, of_name in pieces.items():
            of_name.append(_piece(name, columns[name]))
    return RawTable(choice, ids, {name: _join(name, parts) for name, parts in pieces.items()})


def _id(value: object, name: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    whole = isinstance(value, (int, UUID)) and not isinstance(value, bool)
    if whole or (isinstance(value, Decimal) and value == value.to_integral_value()):
        return f"{value:f}" if isinstance(value, Decimal) else str(value)
    raise SourceError(f"the id column {name} is neither text nor whole numbers; cast it to text")


def _piece(name: str, values: Sequence[Any]) -> RawColumn:
    """Some rows of a column; a column with no value at all is numeric for now."""
    kinds = {_kind(name, value) for value in values if value is not None} or {ColumnKind.NUMBER}
    if len(kinds) > 1:
        raise _mixed(name)
    kind = kinds.pop()
    if kind is ColumnKind.TEXT:
        return RawColumn(kind, np.array(values, dtype=object))
    number = _days if kind is ColumnKind.DATE else float
    floats = [np.nan if value is None else number(value) for value in values]
    return RawColumn(kind, np.array(floats, np.float64))


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


def _join(name: str, pieces: list[RawColumn]) -> RawColumn:
    kinds = {piece.kind for piece in pieces if not _empty(piece)} or {ColumnKind.NUMBER}
    if len(kinds) > 1:
        raise _mixed(name)
    kind = kinds.pop()
    values: list[npt.NDArray[Any]] = [
        np.full(len(piece.values), None if kind is ColumnKind.TEXT else np.nan, object)
        if _empty(piece)
        else piece.values
        for piece in pieces
    ]
    dtype = object if kind is ColumnKind.TEXT else np.float64
    return RawColumn(kind, np.concatenate(values).astype(dtype) if values else np.empty(0, dtype))


def _empty(piece: RawColumn) -> bool:
    return piece.kind is ColumnKind.NUMBER and bool(np.isnan(piece.values.astype(np.float64)).all())


def _mixed(name: str) -> SourceError:
    return SourceError(f"the column {name} mixes numbers, dates or text; cast it in the query")


def _reason(error: SQLAlchemyError) -> str:
    """What the database says about the query or the connection, but not about the rows."""
    if isinstance(error, (OperationalError, ProgrammingError)):
        return str(error.orig).strip().splitlines()[0]
    if isinstance(error, DatabaseError):
        return f"{type(error.orig).__name__} while reading the rows; check the query's conversions"
    return type(error).__name__
