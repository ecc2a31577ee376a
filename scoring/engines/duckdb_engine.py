"""DuckDB: embedded, the default for batches. No server, all cores, spills to disk."""

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pyarrow as pa
from sqlglot import exp

from scoring.engines import statements
from scoring.engines.arrow import column_type, plain, rows_at_once
from scoring.engines.engine import Prepared, Row, Value
from scoring.engines.rendering import render
from scoring.engines.settings import EngineSettings
from scoring.engines.transactional import INCOMING, TransactionalEngine
from scoring.errors import EngineError, EngineUnavailableError, MissingTableError
from scoring.tables import Column, Table

BATCH_ROWS = 65_536
LOCKED = "Could not set lock"
MEMORY = ":memory:"
# Faults of a value, whose messages may quote it.
ABOUT_VALUES = (
    duckdb.ConversionException,
    duckdb.OutOfRangeException,
    duckdb.ConstraintException,
    duckdb.InvalidInputException,
    duckdb.TypeMismatchException,
)


class DuckDBEngine(TransactionalEngine):
    """One connection. While it is open, no other process can open the file: keep it short."""

    dialect = "duckdb"
    most_columns = 10_000
    most_inputs = 500  # its planning takes time by the square of them
    indexed = False  # an index over millions of ids takes memory, and gains a look-up nothing

    def __init__(self, path: Path | None, settings: EngineSettings) -> None:
        self.address = f"duckdb:///{path}" if path else "duckdb://"
        self._connection = _connect(path, settings)
        self._memory = settings.memory

    def columns(self, name: str) -> tuple[Column, ...] | None:
        query = exp.select("*").from_(statements.name_of(name)).limit(0)
        try:
            schema = self._read(query, {}, self._connection).schema
        except MissingTableError:
            return None
        return tuple(Column(field.name, column_type(field.type)) for field in schema)

    def replace_query(self, table: Table, query: exp.Query) -> None:
        """Each row is written once: the table that has them takes the old one's place."""
        names = [column.name for column in table.columns]
        with self._room_for_what_is_written(), self.together(table.name):
            self._execute(_incoming(table))
            self._execute(statements.insert(INCOMING, names, query))
            self._execute(statements.drop(table.name, missing_ok=False))
            self._execute(statements.rename(INCOMING, table.name))

    def stream(
        self, query: exp.Query, parameters: Mapping[str, Value] | None = None
    ) -> Iterator[pa.RecordBatch]:
        with self._connection.cursor() as cursor, _faults():  # its own, for others may run between
            for batch in self._read(query, parameters or {}, cursor):
                if batch.num_rows:
                    yield plain(batch)

    def prepare(self, query: exp.Query) -> Prepared:
        def look_up(parameters: Mapping[str, Value]) -> Sequence[Row]:
            with _faults():
                batches = list(self._read(query, parameters, self._connection))
            return [row for batch in batches for row in _python_rows(plain(batch))]

        return look_up

    def close(self) -> None:
        self._connection.close()

    def _read(
        self,
        query: exp.Query,
        parameters: Mapping[str, Value],
        connection: duckdb.DuckDBPyConnection,
    ) -> pa.RecordBatchReader:
        with _faults():
            relation = connection.sql(render(query, self.dialect), params=dict(parameters) or None)
            return relation.to_arrow_reader(rows_at_once(BATCH_ROWS, len(relation.columns)))

    def _execute(self, statement: exp.Expression) -> None:
        with _faults():
            self._connection.execute(render(statement, self.dialect))

    @contextmanager
    def _room_for_what_is_written(self) -> Iterator[None]:
        """A third more memory for a while.

        Pages of a result stay in memory until something else needs the room. When less is left than
        is read at a time, DuckDB gives all free memory back to the system, only to ask for it again
        (a quarter of the time of ten million scores).
        """
        size, unit = int(self._memory[:-2]), self._memory[-2:]
        self._allow(f"{size * 4 / 3:.2f}{unit}")
        try:
            yield
        finally:
            with suppress(EngineError):  # others may read, and need it meanwhile
                self._allow(self._memory)

    def _allow(self, memory: str) -> None:
        """On a connection of its own: in a transaction that failed nothing can be set."""
        with _faults(), self._connection.cursor() as cursor:
            cursor.execute(f"SET memory_limit = '{memory}'")

    @contextmanager
    def _transaction(self, _table: str) -> Iterator[None]:
        with _faults():
            self._connection.begin()
            try:
                yield
                self._connection.commit()
            except BaseException:
                self._connection.rollback()
                self._connection.unregister("tally_batches")
                raise

    def _load(self, name: str, columns: Sequence[str], batches: Iterable[pa.RecordBatch]) -> int:
        """In one statement: a statement a batch takes twice the memory and the time."""
        names = ", ".join(f'"{column}"' for column in columns)
        source = _Source(batches)
        first = next(source, None)
        if first is None:
            return 0
        reader = pa.RecordBatchReader.from_batches(first.schema, itertools.chain([first], source))
        self._connection.register("tally_batches", reader)
        try:
            self._connection.execute(f'INSERT INTO "{name}" ({names}) SELECT * FROM tally_batches')  # noqa: S608
        except duckdb.Error:
            if source.failure is not None:
                raise source.failure from None
            raise
        finally:
            with suppress(duckdb.Error):  # not in a failed transaction
                self._connection.unregister("tally_batches")
        return source.rows


class _Source(Iterator[pa.RecordBatch]):
    """Batches that count their rows, and keep what failed: DuckDB tells it in its own words."""

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._batches = iter(batches)
        self.rows = 0
        self.failure: BaseException | None = None

    def __next__(self) -> pa.RecordBatch:
        try:
            batch = next(self._batches)
        except StopIteration:
            raise
        except BaseException as failure:
            self.failure = failure
            raise
        self.rows += batch.num_rows
        return batch


def _incoming(table: Table) -> exp.Create:
    """Ids are all different: to compress them takes a quarter of the time of a whole result."""
    create = statements.create(INCOMING, table.columns)
    for definition in create.find_all(exp.ColumnDef):
        if (definition.name,) == table.key:
            as_they_are = exp.ColumnConstraint(kind=exp.var("USING COMPRESSION uncompressed"))
            definition.append("constraints", as_they_are)
    return create


def _connect(path: Path | None, settings: EngineSettings) -> duckdb.DuckDBPyConnection:
    options: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": settings.memory,
        "autoinstall_known_extensions": "false",  # nothing is fetched from anywhere
        "autoload_known_extensions": "false",
        "preserve_insertion_order": "false",  # loads and scores then stream
    }
    if settings.threads is not None:
        options["threads"] = str(settings.threads)
    is_new = path is not None and not path.exists()
    give_up = time.monotonic() + settings.patience_seconds
    while True:
        try:
            with _faults():
                connection = duckdb.connect(str(path) if path else MEMORY, config=options)
                connection.execute("SET TimeZone = 'UTC'")
                connection.execute("SET enable_progress_bar = false")  # what we say is enough
                # Files are local: reading ahead only copies them, and takes half of the time.
                connection.execute("SET disable_parquet_prefetching = true")
                # It takes time by the square of the features: a minute to plan 3,000 of them.
                connection.execute("SET disabled_optimizers = 'statistics_propagation'")
                break
        except EngineUnavailableError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.05)
    if path is not None and is_new:
        path.chmod(0o600)
    return connection


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except ABOUT_VALUES as error:
        raise EngineError(
            f"DuckDB refused a value ({type(error).__name__}): it does not fit its type"
        ) from None
    except duckdb.CatalogException as error:
        kind = MissingTableError if "does not exist" in str(error) else EngineError
        raise kind(f"DuckDB: {_first_line(error)}") from None
    except duckdb.IOException as error:
        if LOCKED in str(error):
            raise EngineUnavailableError(
                "another process has the DuckDB file open: wait until it is done, or use "
                "SQLite or PostgreSQL where several processes work at once"
            ) from None
        raise EngineError(f"DuckDB: {_first_line(error)}") from None
    except duckdb.Error as error:
        raise EngineError(f"DuckDB: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    """Later lines show the statement."""
    return str(error).partition("\n")[0]


def _python_rows(batch: pa.RecordBatch) -> Iterator[Row]:
    return zip(*(column.to_pylist() for column in batch.columns), strict=True)
