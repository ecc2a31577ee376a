"""Hive through PyHive and SQLAlchemy: HiveServer2, be it Spark's Thrift Server or Hive itself.

For batches; a single look-up takes tens of milliseconds at best.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Self

import pyarrow as pa
from sqlalchemy import create_engine, exc, inspect
from sqlalchemy.engine import URL
from sqlalchemy.pool import StaticPool
from sqlglot import exp
from thrift.Thrift import TException

from scoring.engines import hive_generations as generations
from scoring.engines import statements
from scoring.engines.arrow import batch_of_columns, conformed, rows_at_once
from scoring.engines.engine import Prepared, Row, Value
from scoring.engines.hive_connecting import connect, faults
from scoring.engines.hive_dialect import DRIVER, Flavour, flavour_of
from scoring.engines.hive_literals import literal_trees
from scoring.engines.hive_loading import few_rows, pieces, rows_as_query, write_parquet
from scoring.engines.hive_types import declared_type, result_columns, with_times
from scoring.engines.rendering import render
from scoring.engines.settings import EngineSettings
from scoring.engines.transactional import ARRIVAL, check_columns, numbered
from scoring.engines.values import plain_value
from scoring.errors import EngineError, MissingTableError
from scoring.tables import Column, ColumnType, Table

BATCH_ROWS = 16_384
SESSION = {
    Flavour.SPARK: {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "false",  # NULL for what has no answer, as Hive has it
        "spark.sql.variable.substitute": "false",
        "spark.sql.thriftServer.incrementalCollect": "true",  # a stream never is in memory whole
    },
    Flavour.HIVE: {"hive.variable.substitute": "false"},
}


class HiveEngine:
    """One session. A table of ours is a view over generations: see hive_generations."""

    most_columns = most_inputs = 10_000  # by taste: it has no limit of its own

    def __init__(self, url: URL, settings: EngineSettings, folder: Path) -> None:
        self.address = url.render_as_string(hide_password=True)
        self._warehouse = folder / settings.warehouse if settings.warehouse else None
        self._session = connect(url, settings, folder)
        self._engine = create_engine(
            f"{DRIVER}://", creator=lambda: self._session, poolclass=StaticPool
        )
        try:
            with faults():
                self.flavour = flavour_of(self._session)
                self._connection = self._engine.connect()
            for name, value in SESSION[self.flavour].items():
                self._run(f"SET {name}={value}")
        except BaseException:
            self._session.close()
            raise

    @property
    def dialect(self) -> str:
        return self.flavour.value

    def columns(self, name: str) -> tuple[Column, ...] | None:
        with faults():
            try:
                found = inspect(self._connection).get_columns(name)
            except exc.NoSuchTableError:
                return None
        return tuple(
            Column(column["name"], declared_type(column["name"], column["type"]))
            for column in found
        )

    def ensure(self, table: Table) -> None:
        found = self.columns(table.name)
        if found is None:
            with self._new_generation(table.name, table.columns) as generation:
                text = generations.view_text(table.columns, generation, self.dialect)
                self._run(f"CREATE VIEW `{table.name}` AS {text}")
            found = self.columns(table.name)
        check_columns(table, found or ())

    def drop(self, name: str) -> None:
        if self.columns(name) is None:
            return
        ours = self._find_generation(name) is not None
        self._run(f"DROP {'VIEW' if ours else 'TABLE'} `{name}`")
        for generation in self._generations(name):
            self._drop_generation(generation)

    def append(self, table: Table, batches: Iterable[pa.RecordBatch]) -> int:
        generation = self._generation(table.name)
        return self._load(generation, table.columns, conformed(table, batches))

    def merge(self, table: Table, batches: Iterable[pa.RecordBatch]) -> int:
        names = [column.name for column in table.columns]
        current = self._generation(table.name)
        with self._arriving(table, batches) as (count, incoming):
            if count:
                both = generations.both(names, current, incoming, ARRIVAL)
                self.replace_query(table, statements.latest(table, both, ARRIVAL))
        return count

    def add_missing(self, table: Table, batches: Iterable[pa.RecordBatch]) -> None:
        with self._arriving(table, batches) as (count, incoming):
            if count:
                latest = statements.latest(table, statements.name_of(incoming), ARRIVAL)
                self.append_query(table, statements.missing(table, latest))

    @contextmanager
    def _arriving(
        self, table: Table, batches: Iterable[pa.RecordBatch]
    ) -> Iterator[tuple[int, str]]:
        """How many rows came, and the generation beside the table that they are in meanwhile."""
        columns = (*table.columns, Column(ARRIVAL, ColumnType.INTEGER))
        with self._new_generation(table.name, columns) as incoming:
            yield self._load(incoming, columns, numbered(conformed(table, batches))), incoming
        self._drop_generation(incoming)

    def append_query(self, table: Table, query: exp.Query) -> None:
        self._fill(self._generation(table.name), query)

    def replace_query(self, table: Table, query: exp.Query) -> None:
        current = self._generation(table.name)
        with self._new_generation(table.name, table.columns) as generation:
            self._fill(generation, query)
            text = generations.view_text(table.columns, generation, self.dialect)
            self._run(f"ALTER VIEW `{table.name}` AS {text}")
        for older in self._generations(table.name) - {current, generation}:
            self._drop_generation(older)

    def together(self, name: str) -> AbstractContextManager[None]:
        raise EngineError(f"Hive cannot write several tables of {name} at once")

    def stream(
        self, query: exp.Query, parameters: Mapping[str, Value] | None = None
    ) -> Iterator[pa.RecordBatch]:
        text = self._text(query, parameters or {})
        with faults(), closing(self._session.cursor(arraysize=BATCH_ROWS)) as cursor:
            cursor.execute(text)
            columns = result_columns(cursor.description)
            cursor.arraysize = rows_at_once(BATCH_ROWS, len(columns))
            while rows := cursor.fetchmany(cursor.arraysize):
                values = [
                    with_times(column_values, column)
                    for column_values, column in zip(zip(*rows, strict=True), columns, strict=True)
                ]
                yield batch_of_columns(columns, values, "the result")

    def rows(
        self, query: exp.Query, parameters: Mapping[str, Value] | None = None
    ) -> Sequence[Row]:
        text = self._text(query, parameters or {})
        with faults(), closing(self._session.cursor()) as cursor:
            cursor.execute(text)
            columns = result_columns(cursor.description)
            rows = cursor.fetchall()
        by_column = (
            map(plain_value, with_times(values, column))
            for values, column in zip(zip(*rows, strict=True), columns, strict=True)
        )
        return list(zip(*by_column, strict=True)) if rows else []

    def prepare(self, query: exp.Query) -> Prepared:
        """Nothing is kept: HiveServer2 knows no prepared statements."""
        return lambda parameters: self.rows(query, parameters)

    def close(self) -> None:
        with suppress(TException, OSError, exc.DBAPIError):
            self._connection.close()
            self._engine.dispose()

    def _text(self, query: exp.Query, parameters: Mapping[str, Value]) -> str:
        bound = statements.with_values(query, literal_trees(parameters))
        if missing := sorted({mark.name for mark in bound.find_all(exp.Placeholder)}):
            raise EngineError(f"the query needs a parameter {', '.join(missing)}")
        return render(bound, self.dialect)

    def _run(self, text: str) -> list[Sequence[str]]:
        with faults(), closing(self._session.cursor()) as cursor:
            cursor.execute(text)
            return list(cursor.fetchall()) if cursor.description else []

    def _fill(self, generation: str, query: exp.Query) -> None:
        rows = render(query, self.dialect)
        self._run(generations.insert_into(generation, generations.new_token(), rows))

    def _load(
        self, generation: str, columns: Sequence[Column], batches: Iterable[pa.RecordBatch]
    ) -> int:
        """Rows as one new partition."""
        first, rest = few_rows(batch for batch in batches if batch.num_rows)
        following = next(rest, None)
        if following is None:
            if first:
                rows = rows_as_query(columns, first)
                self._run(generations.insert_into(generation, generations.new_token(), rows))
            return sum(batch.num_rows for batch in first)
        every = chain(first, [following], rest)
        if self._warehouse is None:
            return self._load_in_pieces(generation, columns, every)
        load = generations.new_token()
        folder = self._warehouse / generation / load
        try:
            count = write_parquet(folder, columns, every)
            self._run(generations.add_partition(generation, load, folder))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return count

    def _load_in_pieces(
        self, generation: str, columns: Sequence[Column], batches: Iterable[pa.RecordBatch]
    ) -> int:
        """Slow, for want of a folder that the server reaches too; aside first, then in one step."""
        count = 0
        with self._new_generation(generation.partition("__")[0], columns) as aside:
            for piece in pieces(batches):
                rows = rows_as_query(columns, [piece])
                self._run(generations.insert_into(aside, generations.new_token(), rows))
                count += piece.num_rows
            self._fill(generation, statements.select([column.name for column in columns], aside))
        self._drop_generation(aside)
        return count

    @contextmanager
    def _new_generation(self, table: str, columns: Iterable[Column]) -> Iterator[str]:
        """Gone again if anything fails."""
        name = generations.generation_name(table)
        location = self._warehouse / name if self._warehouse else None
        self._run(generations.create_generation(name, columns, location))
        try:
            yield name
        except BaseException:
            self._drop_generation(name)
            raise

    def _drop_generation(self, name: str) -> None:
        self._run(f"DROP TABLE IF EXISTS `{name}`")
        if self._warehouse is not None:
            shutil.rmtree(self._warehouse / name, ignore_errors=True)

    def _generation(self, table: str) -> str:
        if self.columns(table) is None:
            raise MissingTableError(f"there is no table {table} in Hive")
        generation = self._find_generation(table)
        if generation is None:
            raise EngineError(f"{table} is no table that we made: only those are written to")
        return generation

    def _find_generation(self, table: str) -> str | None:
        """The one that the view reads."""
        cells = (cell for row in self._run(f"DESCRIBE FORMATTED `{table}`") for cell in row if cell)
        found = generations.generation_pattern(table).search("\n".join(cells))
        return found[0] if found else None

    def _generations(self, table: str) -> set[str]:
        pattern = generations.generation_pattern(table)
        rows = self._run(f"SHOW TABLES LIKE '{table}__*'")
        return {name for row in rows for name in row if name and pattern.fullmatch(name)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
