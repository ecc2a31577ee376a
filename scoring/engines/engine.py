"""What scoring asks of a SQL engine. One contract suite holds for all of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, Self

import pyarrow as pa
from sqlglot import exp

from scoring.tables import Column, Table

Value = str | int | float | None


class Engine(Protocol):
    """One open connection to an engine; a context manager. Every method raises EngineError.

    Statements are sqlglot trees, rendered for this engine; user text never becomes SQL unparsed.
    What is written appears to readers at once or not at all.
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

    def columns(self, name: str) -> tuple[Column, ...] | None:
        """Columns of a table or view; None: there is no such table."""

    def ensure(self, table: Table) -> None:
        """Create it unless it is there. TableConflictError: it is there with other columns."""

    def drop(self, name: str) -> None:
        """Remove the table if it is there."""

    def append(self, table: Table, batches: Iterable[pa.RecordBatch]) -> int:
        """Add rows, and tell how many."""

    def merge(self, table: Table, batches: Iterable[pa.RecordBatch]) -> int:
        """Add rows; a row with the key of an older one takes its place (the last one wins)."""

    def append_query(self, table: Table, query: exp.Query) -> None:
        """Add the rows of a query; none of them leaves the engine."""

    def replace_query(self, table: Table, query: exp.Query) -> None:
        """Swap the whole content for the rows of a query; readers see the old or the new."""

    def stream(
        self, query: exp.Query, parameters: Mapping[str, Value] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a query, in batches, with constant memory.

        Parameters stand in the tree as `exp.Placeholder(this=name)`.
        """

    def rows(
        self, query: exp.Query, parameters: Mapping[str, Value] | None = None
    ) -> Sequence[Sequence[Value]]:
        """The rows of a small answer, as Python values; prepared once where the engine can."""

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...
