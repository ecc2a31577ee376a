"""What DuckDB, SQLite and PostgreSQL have in common: transactions make half a load invisible."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Self

import pyarrow as pa
from sqlglot import exp

from scoring.engines import statements
from scoring.engines.arrow import conformed
from scoring.engines.engine import Prepared, Row, Value
from scoring.errors import TableConflictError
from scoring.tables import Column, ColumnType, Table

INCOMING = "tally_incoming"  # a temporary table, of this connection alone
ARRIVAL = "tally_arrival"


class TransactionalEngine(ABC):
    """An engine whose loads are one transaction each; see Engine for the promises."""

    indexed: bool  # whether tables get a primary key
    _is_together = False

    @abstractmethod
    def columns(self, name: str) -> tuple[Column, ...] | None: ...

    @abstractmethod
    def prepare(self, query: exp.Query) -> Prepared: ...

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def _execute(self, statement: exp.Expression) -> None: ...

    @abstractmethod
    def _transaction(self, table: str) -> AbstractContextManager[None]:
        """Everything in it or nothing; other writers of the table wait."""

    @abstractmethod
    def _load(self, name: str, columns: Sequence[str], batches: Iterable[pa.RecordBatch]) -> int:
        """Put conformed batches into an existing table, in bulk."""

    @contextmanager
    def together(self, name: str) -> Iterator[None]:
        if self._is_together:
            yield
            return
        with self._transaction(name):
            self._is_together = True
            try:
                yield
            finally:
                self._is_together = False

    def ensure(self, table: Table) -> None:
        found = self.columns(table.name)
        if found is None:
            key = table.key if self.indexed else ()
            created = statements.create(table.name, table.columns, key)
            created.set("exists", True)
            with self.together(table.name):
                self._execute(created)
            found = self.columns(table.name)
        check_columns(table, found or ())

    def drop(self, name: str) -> None:
        self._execute(statements.drop(name))

    def append(self, table: Table, batches: Iterable[pa.RecordBatch]) -> int:
        names = [column.name for column in table.columns]
        with self.together(table.name):
            return self._load(table.name, names, conformed(table, batches))

    def merge(self, table: Table, batches: Iterable[pa.RecordBatch]) -> int:
        with self._arriving(table, batches) as (count, latest):
            self._execute(statements.delete_matching(table, INCOMING))
            names = [column.name for column in table.columns]
            self._execute(statements.insert(table.name, names, latest))
        return count

    def add_missing(self, table: Table, batches: Iterable[pa.RecordBatch]) -> None:
        with self._arriving(table, batches) as (_, latest):
            names = [column.name for column in table.columns]
            missing = statements.missing(table, latest)
            if self.indexed:
                missing = missing.order_by(
                    *(statements.column_of(one, "came") for one in table.key)
                )
            self._execute(statements.insert(table.name, names, missing))

    @contextmanager
    def _arriving(
        self, table: Table, batches: Iterable[pa.RecordBatch]
    ) -> Iterator[tuple[int, exp.Select]]:
        """How many rows came into the temporary table, and a query for the last of each key."""
        names = [column.name for column in table.columns]
        arrival = Column(ARRIVAL, ColumnType.INTEGER)
        with self.together(table.name):
            self._create_incoming((*table.columns, arrival))
            rows = numbered(conformed(table, batches))
            count = self._load(INCOMING, [*names, ARRIVAL], rows)
            yield count, statements.latest(table, statements.name_of(INCOMING), ARRIVAL)
            self._drop_incoming()

    def append_query(self, table: Table, query: exp.Query) -> None:
        names = [column.name for column in table.columns]
        with self.together(table.name):
            self._execute(statements.insert(table.name, names, query))

    def replace_query(self, table: Table, query: exp.Query) -> None:
        names = [column.name for column in table.columns]
        with self.together(table.name):
            # Beside it first: the query may read the table itself.
            self._create_incoming(table.columns)
            self._execute(statements.insert(INCOMING, names, query))
            self._execute(exp.Delete(this=statements.name_of(table.name)))
            rows = statements.select(names, INCOMING)
            self._execute(statements.insert(table.name, names, rows))
            self._drop_incoming()

    def rows(
        self, query: exp.Query, parameters: Mapping[str, Value] | None = None
    ) -> Sequence[Row]:
        return self.prepare(query)(parameters or {})

    def _create_incoming(self, columns: Iterable[Column]) -> None:
        self._execute(statements.create(INCOMING, columns, temporary=True))

    def _drop_incoming(self) -> None:
        self._execute(statements.drop(INCOMING))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def check_columns(table: Table, found: Sequence[Column]) -> None:
    """Raises TableConflictError. The order of columns does not matter."""
    if set(found) == set(table.columns):
        return
    differing = sorted({column.name for column in set(found) ^ set(table.columns)})
    shown = ", ".join(differing[:5]) + (" …" if len(differing) > 5 else "")
    raise TableConflictError(
        f"there is already a table {table.name} with other columns ({shown}): "
        "drop it, or use another name"
    )


def numbered(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    start = 0
    for batch in batches:
        arrival = pa.array(range(start, start + batch.num_rows), pa.int64())
        start += batch.num_rows
        yield batch.append_column(ARRIVAL, arrival)
