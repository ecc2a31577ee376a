"""What scoring asks of a SQL engine. One contract suite holds for all of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol, Self

import pyarrow as pa
from sqlglot import exp

from scoring.tables import Column, Table

Value = str | int | float | datetime | None
Row = Sequence[Value]
Prepared = Callable[[Mapping[str, Value]], Sequence[Row]]


class Engine(Protocol):
    """One open connection to an engine; a context manager. Every method raises EngineError.

    It serves one thread at a time. Statements are sqlglot trees, rendered for this engine; user
    text never becomes SQL unparsed. What is written appears to readers at once or not at all.

    Rows come and go as text, 64-bit integers, doubles and times (UTC, microseconds; naive ones
    given are UTC). NaN is NULL, in and out: a missing number has one spelling on every engine.
    Infinities, and doubles to their last bit, are kept, except that -0.0 may become 0.0. Text with
    a NUL character is refused, and so is a key with a NULL.
    """

    @property
    def address(self) -> str:
        """Its URL, without secrets."""

    @property
    def dialect(self) -> str:
        """The dialect that its SQL is rendered in, by sqlglot's name."""

    @property
    def most_columns(self) -> int:
        """Wider tables are split into numbered ones (scoring.wide_tables)."""

    @property
    def most_inputs(self) -> int:
        """Models of more inputs are scored in parts, joined (scoring.wide_expressions)."""

    def columns(self, name: str) -> tuple[Column, ...] | None:
        """Columns of a table or view; None: there is no such table."""

    def ensure(self, table: Table) -> None:
        """Create it unless it is there. TableConflictError: it is there with other columns."""

    def drop(self, name: str) -> None:
        """Remove the table if it is there."""

    def append(self, table: Table, batches: Iterable[pa.RecordBatch]) -> int:
        """Add rows, and tell how many.

        All are in one step, whatever the number of batches. A key that is there already is a
        mistake of the caller's: engines with a unique index on the key refuse it, others add it.
        """

    def merge(self, table: Table, batches: Iterable[pa.RecordBatch]) -> int:
        """Add rows; a row with the key of an older one takes its place (the last one wins)."""

    def add_missing(self, table: Table, batches: Iterable[pa.RecordBatch]) -> None:
        """Add the rows whose key is not there yet (the last one wins); those that are there stay.

        An index takes them in the order of the key: millions that come in none would each tear
        open another page of it.
        """

    def append_query(self, table: Table, query: exp.Query) -> None:
        """Add the rows of a query, whose columns go by position; none leaves the engine."""

    def replace_query(self, table: Table, query: exp.Query) -> None:
        """Swap the whole content for the rows of a query; readers see the old or the new."""

    def together(self, name: str) -> AbstractContextManager[None]:
        """All that is written in it appears at once, or nothing of it; `name` is what is written.

        Hive has that for one table alone, and refuses.
        """

    def stream(
        self, query: exp.Query, parameters: Mapping[str, Value] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a query, in batches, with constant memory; no batch if there is no row.

        Parameters stand in the tree as `exp.Placeholder(this=name)`. SQLite knows no types of
        expressions: cast a column that must be a double in every batch.
        """

    def rows(
        self, query: exp.Query, parameters: Mapping[str, Value] | None = None
    ) -> Sequence[Row]:
        """The rows of a small answer, as Python values."""

    def prepare(self, query: exp.Query) -> Prepared:
        """The same for many single look-ups: rendered once, and planned once where possible."""

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...
