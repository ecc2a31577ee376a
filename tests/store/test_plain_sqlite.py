"""The log's statements on SQLite's own connections say what SQLAlchemy says."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, bindparam, insert, select
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

from store import statements
from store.database import open_engine
from store.plain_sqlite import PlainConnections
from store.tables import CURSORS, create_tables

ALL = {name: one for name, one in vars(statements).items() if isinstance(one, Executable)}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'log.sqlite'}")
    with engine.begin() as connection:
        create_tables(connection)
    yield engine
    engine.dispose()


@pytest.fixture
def plain(engine: Engine) -> Iterator[PlainConnections]:
    with closing(PlainConnections(engine)) as connections:
        yield connections


def parameters_of(statement: Executable, engine: Engine) -> dict[str, object]:
    """A value for each parameter that has none."""
    assert isinstance(statement, ClauseElement)
    compiled = statement.compile(dialect=engine.dialect)
    assert isinstance(compiled, SQLCompiler)
    wanted = compiled.binds
    values = {"most": 1, "after": 0, "salted": b""}
    return {name: values.get(name, "1") for name, bind in wanted.items() if bind.required}


def test_every_statement_of_the_log_finds_what_sqlalchemy_finds(
    plain: PlainConnections, engine: Engine
) -> None:
    seen = set()
    for name, statement in ALL.items():
        if statement.is_select:
            values = parameters_of(statement, engine)
            with plain.reading() as own, engine.connect() as other:
                found = [tuple(row) for row in own.execute(statement, values)]
                assert found == [tuple(row) for row in other.execute(statement, values)], name
            seen.add(name)
    assert {"HEAD", "ENTRIES_AFTER", "UNDELIVERED_COUNTS", "PLACES_AFTER"} <= seen


def test_rows_have_their_columns_by_name_and_by_place(plain: PlainConnections) -> None:
    with plain.writing() as connection:
        connection.execute(insert(CURSORS), [{"name": "a", "position": 3}])
        connection.execute(insert(CURSORS), {"name": "b", "position": 4})
    wanted = select(CURSORS).where(CURSORS.c.name == bindparam("of_name"))
    with plain.reading() as connection:
        row = connection.execute(wanted, {"of_name": "b"}).one()
        assert (row.name, row[1], row.position) == ("b", 4, 4)
        assert connection.scalar(wanted, {"of_name": "nobody"}) is None


def test_a_parameter_that_is_missing_is_no_null(plain: PlainConnections) -> None:
    with plain.reading() as connection, pytest.raises(KeyError):
        connection.execute(statements.CURSOR, {})


def test_nothing_stays_of_a_transaction_that_fails(plain: PlainConnections) -> None:
    one = {"name": "a", "position": 3}

    def say_it_twice() -> None:
        with plain.writing() as connection:
            connection.execute(insert(CURSORS), one)
            connection.execute(insert(CURSORS), one)

    with pytest.raises(sqlite3.IntegrityError):
        say_it_twice()
    with plain.writing() as connection:
        assert list(connection.execute(select(CURSORS))) == []


def test_after_closing_no_connection_stays_open(plain: PlainConnections) -> None:
    with plain.raw() as connection:
        plain.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
