"""SQLite: embedded, the default for single look-ups. Readers and one writer at a time."""

import math
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pyarrow as pa
from sqlglot import exp

from scoring.engines.arrow import batch_of_columns, narrow_batches, rows_at_once
from scoring.engines.engine import Prepared, Row, Value
from scoring.engines.rendering import render
from scoring.engines.settings import EngineSettings
from scoring.engines.sqlite_types import (
    ColumnReader,
    bindable,
    declared_columns,
    result_affinities,
    storable,
)
from scoring.engines.transactional import TransactionalEngine
from scoring.errors import EngineError, EngineUnavailableError, MissingTableError
from scoring.tables import Column

BATCH_ROWS = 16_384
MEMORY = ":memory:"
FUNCTIONS: dict[str, Callable[[float], float]] = {"exp": math.exp, "ln": math.log}


class SQLiteEngine(TransactionalEngine):
    """One connection; streams of a file have one of their own, and see what is committed."""

    dialect = "sqlite"
    most_columns = most_inputs = 1_900  # of 2,000
    indexed = True

    def __init__(self, path: Path | None, settings: EngineSettings) -> None:
        self.address = f"sqlite:///{path}" if path else "sqlite://"
        self._path = path
        self._patience = settings.patience_seconds
        self._connection = self._connect()

    def columns(self, name: str) -> tuple[Column, ...] | None:
        with _faults():
            return declared_columns(self._connection, name)

    def stream(
        self, query: exp.Query, parameters: Mapping[str, Value] | None = None
    ) -> Iterator[pa.RecordBatch]:
        with _faults():
            if self._path is None:
                yield from self._stream(self._connection, query, parameters or {})
                return
            with closing(self._connect()) as connection:
                yield from self._stream(connection, query, parameters or {})

    def prepare(self, query: exp.Query) -> Prepared:
        text = render(query, self.dialect)
        with _faults():
            readers = _readers(self._connection, query)
        times = {index: reader for index, reader in enumerate(readers) if reader.may_be_time}

        def look_up(parameters: Mapping[str, Value]) -> Sequence[Row]:
            with _faults():
                found: Sequence[Row] = self._connection.execute(
                    text, bindable(parameters)
                ).fetchall()
            return [_with_times(row, times) for row in found] if times else found

        return look_up

    def close(self) -> None:
        self._connection.close()

    def _connect(self) -> sqlite3.Connection:
        with _faults():
            if self._path is not None:
                _create_private(self._path)
            connection = sqlite3.connect(
                self._path or MEMORY,
                timeout=self._patience,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=512,
            )
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            for name, function in FUNCTIONS.items():
                _provide(connection, name, function)
            return connection

    def _stream(
        self, connection: sqlite3.Connection, query: exp.Query, parameters: Mapping[str, Value]
    ) -> Iterator[pa.RecordBatch]:
        readers = _readers(connection, query)
        cursor = connection.execute(render(query, self.dialect), bindable(parameters))
        at_once = rows_at_once(BATCH_ROWS, len(readers))
        while rows := cursor.fetchmany(at_once):
            values = [
                reader.read(column)
                for reader, column in zip(readers, zip(*rows, strict=True), strict=True)
            ]
            yield batch_of_columns([reader.column for reader in readers], values, "the result")

    def _execute(self, statement: exp.Expression) -> None:
        with _faults():
            self._connection.execute(render(statement, self.dialect))

    @contextmanager
    def _transaction(self, _table: str) -> Iterator[None]:
        with _faults():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise

    def _load(self, name: str, columns: Sequence[str], batches: Iterable[pa.RecordBatch]) -> int:
        names = ", ".join(f'"{column}"' for column in columns)
        marks = ", ".join("?" * len(columns))
        statement = f'INSERT INTO "{name}" ({names}) VALUES ({marks})'  # noqa: S608
        count = 0
        for batch in batches:
            for piece in narrow_batches(batch, BATCH_ROWS):
                values = [storable(column) for column in piece.columns]
                self._connection.executemany(statement, zip(*values, strict=True))
            count += batch.num_rows
        return count


def _readers(connection: sqlite3.Connection, query: exp.Query) -> list[ColumnReader]:
    return [ColumnReader(*found) for found in result_affinities(connection, query)]


def _with_times(row: Row, times: Mapping[int, ColumnReader]) -> Row:
    return [
        times[index].time_of(value) if index in times else value for index, value in enumerate(row)
    ]


def _create_private(path: Path) -> None:
    """A new file is its owner's alone."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise EngineError(f"the SQLite file {path} cannot be opened: {error.strerror}") from None


def _provide(connection: sqlite3.Connection, name: str, function: Callable[[float], float]) -> None:
    """Some builds of SQLite come without mathematics."""
    try:
        connection.execute(f"SELECT {name}(1.0)")
    except sqlite3.OperationalError:
        connection.create_function(name, 1, _null_for_null(function), deterministic=True)


def _null_for_null(function: Callable[[float], float]) -> Callable[[float | None], float | None]:
    """As SQLite's own do: NULL for what has no answer."""

    def of(argument: float | None) -> float | None:
        try:
            return None if argument is None else function(argument)
        except ValueError:
            return None
        except OverflowError:
            return math.inf

    return of


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise EngineError(f"SQLite: {error}: `merge` replaces rows of the same key") from None
    except sqlite3.OperationalError as error:
        text = str(error)
        if "no such table" in text:
            raise MissingTableError(f"SQLite: {text}") from None
        if "locked" in text:
            raise EngineUnavailableError(
                "another process is writing to the SQLite file: try again when it is done"
            ) from None
        raise EngineError(f"SQLite: {text}") from None
    except sqlite3.Error as error:
        raise EngineError(f"SQLite: {error}") from None
