"""PostgreSQL: single look-ups and batches, by several processes at once."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from io import BytesIO
from itertools import count
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import errors, sql
from psycopg.types.numeric import FloatLoader
from pyarrow import csv
from sqlalchemy.engine import URL
from sqlglot import exp

from scoring.engines.arrow import batch_of_columns, narrow_batches, rows_at_once
from scoring.engines.engine import Prepared, Row, Value
from scoring.engines.rendering import render
from scoring.engines.settings import EngineSettings
from scoring.engines.statements import with_values
from scoring.engines.transactional import TransactionalEngine
from scoring.engines.values import plain_value
from scoring.errors import (
    EngineError,
    EngineUnavailableError,
    LoginRefusedError,
    MissingTableError,
)
from scoring.tables import Column, ColumnType

BATCH_ROWS = 16_384
TYPES = {
    "bool": ColumnType.INTEGER,
    "int2": ColumnType.INTEGER,
    "int4": ColumnType.INTEGER,
    "int8": ColumnType.INTEGER,
    "float4": ColumnType.NUMBER,
    "float8": ColumnType.NUMBER,
    "numeric": ColumnType.NUMBER,
    "text": ColumnType.TEXT,
    "varchar": ColumnType.TEXT,
    "bpchar": ColumnType.TEXT,
    "name": ColumnType.TEXT,
    "timestamp": ColumnType.TIME,
    "timestamptz": ColumnType.TIME,
    "date": ColumnType.TIME,
}
COLUMNS = """
SELECT attname, typname FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
WHERE attrelid = to_regclass(quote_ident($1)) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""


class PostgreSQLEngine(TransactionalEngine):
    """One connection; every stream has one of its own, and sees what is committed."""

    dialect = "postgres"
    most_columns = most_inputs = 900  # of 1,600: a row of doubles must fit a page of 8 KB
    indexed = True

    def __init__(self, url: URL, settings: EngineSettings) -> None:
        self.address = url.render_as_string(hide_password=True)
        self._url = url
        self._timeout = max(2, math.ceil(settings.patience_seconds))
        self._connection = self._connect()

    def columns(self, name: str) -> tuple[Column, ...] | None:
        with _faults():
            found = self._connection.execute(COLUMNS, [name]).fetchall()
        return tuple(Column(column, _type(type_, column)) for column, type_ in found) or None

    def stream(
        self, query: exp.Query, parameters: Mapping[str, Value] | None = None
    ) -> Iterator[pa.RecordBatch]:
        text, names = _numbered(query)
        values = _bound(names, parameters or {})
        with (
            _faults(),
            closing(self._connect(autocommit=False)) as connection,
            psycopg.RawServerCursor(connection, "tally_stream") as cursor,
        ):
            cursor.execute(text, values)
            columns = _columns_of(cursor)
            at_once = rows_at_once(BATCH_ROWS, len(columns))
            while rows := cursor.fetchmany(at_once):
                yield batch_of_columns(columns, list(zip(*rows, strict=True)), "the result")

    def prepare(self, query: exp.Query) -> Prepared:
        text, names = _numbered(query)

        def look_up(parameters: Mapping[str, Value]) -> Sequence[Row]:
            with _faults():
                values = _bound(names, parameters)
                found = self._connection.execute(text, values, prepare=True).fetchall()
            return [[plain_value(value) for value in row] for row in found]

        return look_up

    def close(self) -> None:
        self._connection.close()

    def _connect(self, *, autocommit: bool = True) -> psycopg.Connection[Any]:
        arguments = self._url.get_dialect()().create_connect_args(self._url)[1]
        with _login_faults(self.address):
            connection = psycopg.connect(
                **{"connect_timeout": self._timeout, **arguments},
                autocommit=autocommit,
                cursor_factory=psycopg.RawCursor,
            )
        connection.adapters.register_loader("numeric", FloatLoader)
        connection.execute("SET timezone = 'UTC'")
        return connection

    def _execute(self, statement: exp.Expression) -> None:
        with _faults():
            self._connection.execute(render(statement, self.dialect))

    @contextmanager
    def _transaction(self, table: str) -> Iterator[None]:
        with _faults(), self._connection.transaction():
            # Not the table itself, which may not be there yet, and whose readers need not wait.
            self._connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", [table])
            yield

    def _load(self, name: str, columns: Sequence[str], batches: Iterable[pa.RecordBatch]) -> int:
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(
            sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        rows = 0
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for batch in batches:
                for piece in narrow_batches(batch, BATCH_ROWS):
                    text = BytesIO()
                    csv.write_csv(piece, text, csv.WriteOptions(include_header=False))
                    copy.write(text.getbuffer())
                rows += batch.num_rows
        return rows


def _numbered(query: exp.Query) -> tuple[str, list[str]]:
    """The text with $1, $2, …, and the parameters' names in that order."""
    names = list(dict.fromkeys(mark.name for mark in query.find_all(exp.Placeholder)))
    numbers = {
        name: exp.Parameter(this=exp.Literal.number(number))
        for name, number in zip(names, count(1), strict=False)
    }
    return render(with_values(query, numbers), "postgres"), names


def _bound(names: Iterable[str], parameters: Mapping[str, Value]) -> list[object]:
    try:
        values = [parameters[name] for name in names]
    except KeyError as missing:
        raise EngineError(f"the query needs a parameter {missing}") from None
    return [None if isinstance(value, float) and math.isnan(value) else value for value in values]


def _columns_of(cursor: psycopg.Cursor[Any] | psycopg.ServerCursor[Any]) -> list[Column]:
    known = cursor.adapters.types
    columns = []
    for found in cursor.description or ():
        type_ = known.get(found.type_code)
        columns.append(Column(found.name, _type(type_.name if type_ else "unknown", found.name)))
    return columns


def _type(name: str, column: str) -> ColumnType:
    if name not in TYPES:
        raise EngineError(f"column {column} is of type {name}: cast it in the query")
    return TYPES[name]


@contextmanager
def _login_faults(address: str) -> Iterator[None]:
    try:
        yield
    except psycopg.OperationalError as error:
        text = " ".join(str(error).split())
        if any(sign in text for sign in ("authentication", "password", "pg_hba.conf", "role ")):
            raise LoginRefusedError(
                f"{address} refused the login: check its user and password ({text})"
            ) from None
        raise EngineUnavailableError(
            f"{address} cannot be reached: check host, port and database ({text})"
        ) from None


@contextmanager
def _faults() -> Iterator[None]:
    """The server's text only where it can quote no value."""
    try:
        yield
    except errors.UndefinedTable as error:
        raise MissingTableError(f"PostgreSQL: {error.diag.message_primary}") from None
    except (psycopg.DataError, psycopg.IntegrityError, psycopg.NotSupportedError) as error:
        kind = type(error).__name__
        remedy = ": `merge` replaces rows of the same key" if kind == "UniqueViolation" else ""
        raise EngineError(f"PostgreSQL refused a value ({kind}){remedy}") from None
    except psycopg.OperationalError as error:
        text = error.diag.message_primary or "the connection is lost"
        raise EngineUnavailableError(f"PostgreSQL: {text}") from None
    except psycopg.Error as error:
        raise EngineError(f"PostgreSQL: {error.diag.message_primary or error}") from None
