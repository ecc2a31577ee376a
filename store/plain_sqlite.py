"""The log's statements on SQLite's own connections: SQLAlchemy writes the SQL once, SQLite runs it.

A statement of the log takes SQLite some microseconds, and going through SQLAlchemy for it ten times
as long; an event needs a dozen or two. On PostgreSQL the way to the server counts for more.
"""

import sqlite3
from collections import deque, namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from sqlalchemy import Engine
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

T = TypeVar("T")
Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None


class Statements(Protocol):
    """What the log asks of a connection: SQLAlchemy's own does, and `PlainConnection`."""

    def execute(self, statement: Any, parameters: Any = None, /) -> Any: ...  # noqa: ANN401
    def scalar(self, statement: Any, parameters: Any = None, /) -> Any: ...  # noqa: ANN401


class PlainConnections:
    """Connections of an engine to a SQLite file, kept open for the next who needs one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle: deque[sqlite3.Connection] = deque()
        self._closed = False
        self._prepared: dict[tuple[Executable, tuple[str, ...]], _Prepared] = {}

    def reading(self) -> AbstractContextManager["PlainConnection"]:
        """For statements that each see a moment of their own."""
        return _Lent(self, self.connect)

    @contextmanager
    def writing(self) -> Iterator["PlainConnection"]:
        """One transaction, the only writer from its beginning."""
        with self.raw() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connect(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def raw(self) -> AbstractContextManager[sqlite3.Connection]:
        return _Lent(self, lambda connection: connection)

    def connect(self, connection: sqlite3.Connection) -> "PlainConnection":
        return PlainConnection(connection, self._prepare)

    def close(self) -> None:
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def take(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            pooled = self._engine.raw_connection()
            pooled.detach()
            connection: sqlite3.Connection = pooled.dbapi_connection  # type: ignore[assignment]
            return connection

    def give_back(self, connection: sqlite3.Connection) -> None:
        self._idle.append(connection)
        if self._closed:
            self.close()

    def _prepare(self, statement: Executable, names: tuple[str, ...]) -> "_Prepared":
        key = statement, names
        if key not in self._prepared:
            assert isinstance(statement, ClauseElement), "all of ours are"  # noqa: S101
            compiled = statement.compile(
                dialect=self._engine.dialect,
                column_keys=list(names),
                compile_kwargs={"render_postcompile": True},
            )
            assert isinstance(compiled, SQLCompiler), "a statement, not a type"  # noqa: S101
            self._prepared[key] = _Prepared(compiled)
        return self._prepared[key]


class _Lent(AbstractContextManager[T]):
    """A connection that one thread has for a moment; one that failed is not used again."""

    def __init__(
        self, connections: PlainConnections, shape: Callable[[sqlite3.Connection], T]
    ) -> None:
        self._connections, self._shape = connections, shape

    def __enter__(self) -> T:
        self._connection = self._connections.take()
        return self._shape(self._connection)

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, sqlite3.Error):
            self._connection.close()
        else:
            self._connections.give_back(self._connection)


class PlainConnection:
    """Runs statements as SQLAlchemy's connection does; for one thread at a time."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        prepare: Callable[[Executable, tuple[str, ...]], "_Prepared"],
    ) -> None:
        self._connection, self._prepare = connection, prepare

    def execute(self, statement: Executable, parameters: Parameters = None, /) -> "PlainResult":
        """`parameters` of one run, or a list of them for as many."""
        if isinstance(parameters, Mapping) or parameters is None:
            given = parameters or {}
            prepared = self._prepare(statement, tuple(given))
            return PlainResult(self._connection.execute(prepared.text, prepared.values(given)))
        prepared = self._prepare(statement, tuple(parameters[0]))
        values = list(map(prepared.values, parameters))
        return PlainResult(self._connection.executemany(prepared.text, values))

    def scalar(self, statement: Executable, parameters: Parameters = None, /) -> Any:  # noqa: ANN401
        """The first column of the first row, or None."""
        row = self.execute(statement, parameters).first()
        return row[0] if row is not None else None


class PlainResult:
    """Rows of a result; each has its columns by place and by name."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self.rowcount = cursor.rowcount
        self._rows: list[Any] = []
        if cursor.description:
            row = _row_type(tuple(column[0] for column in cursor.description))
            self._rows = list(map(row._make, cursor))

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def first(self) -> Any:  # noqa: ANN401 - a named tuple, or None
        return self._rows[0] if self._rows else None

    def one(self) -> Any:  # noqa: ANN401
        (row,) = self._rows
        return row

    def scalar_one(self) -> Any:  # noqa: ANN401
        return self.one()[0]


@lru_cache(maxsize=200)
def _row_type(names: tuple[str, ...]) -> Any:  # noqa: ANN401 - a type made while running
    return namedtuple("Row", names, rename=True)  # noqa: PYI024 - its names are the statement's


class _Prepared:
    """The text of a statement, and in which order it takes its parameters."""

    def __init__(self, compiled: SQLCompiler) -> None:
        self.text = compiled.string
        self._names = tuple(compiled.positiontup or ())
        required = {name for bind, name in compiled.bind_names.items() if bind.required}
        self._own = {name: one for name, one in compiled.params.items() if name not in required}

    def values(self, given: Mapping[str, Any]) -> tuple[Any, ...]:
        own = self._own
        return tuple([given[name] if name in given else own[name] for name in self._names])
