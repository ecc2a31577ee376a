"""A model as a statement to take elsewhere (requirement C3)."""

import sqlite3

import duckdb
import numpy as np
import pytest

from scoring.combining import combine
from scoring.errors import ModelTableError
from scoring.linear_tables import linear_rows, weight_tables
from scoring.models.linear import LinearModel
from scoring.tables import ColumnType
from scoring.written_statements import Dialect, read_columns, written_statement
from tests.scoring.documents import Floats, sample_ids
from tests.scoring.engines.test_models import CASES, Case

CONTENT = "0" * 64


def rows_of(case: Case) -> list[tuple[object, ...]]:
    columns = [case.features[one] for one in case.model.inputs]
    return list(zip(sample_ids(len(columns[0])), *columns, strict=True))


def on_duckdb(case: Case, statement: str, *more: str) -> Floats:
    """What DuckDB says when the texts are typed in."""
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE kept ({read_columns(case.model, Dialect.DUCKDB)})")
        marks = ", ".join("?" * (len(case.model.inputs) + 1))
        connection.executemany(f"INSERT INTO kept VALUES ({marks})", rows_of(case))
        for one in more:
            connection.execute(one)
        found = connection.execute(f"{statement} ORDER BY 1").fetchall()
    return np.array([row[1:] for row in found], np.float64)


def check(case: Case, scores: Floats) -> None:
    parts = [scores if case.model.outputs > 1 else scores[:, 0]]
    found = combine(case.model.combination, parts)
    np.testing.assert_allclose(found, case.expected, rtol=case.tolerance, atol=case.tolerance)


@pytest.mark.parametrize("name", CASES)
def test_the_text_scores_as_the_library(name: str) -> None:
    case = CASES[name]()
    check(case, on_duckdb(case, written_statement(case.model, Dialect.DUCKDB, "main.kept")))


def test_another_engine_reads_its_own_text() -> None:
    case = CASES["binned_logistic"]()
    connection = sqlite3.connect(":memory:")
    connection.execute(f"CREATE TABLE kept ({read_columns(case.model, Dialect.SQLITE)})")
    connection.executemany("INSERT INTO kept VALUES (?, ?, ?, ?, ?, ?)", rows_of(case))
    found = connection.execute(written_statement(case.model, Dialect.SQLITE, "kept")).fetchall()
    connection.close()
    check(case, np.array([row[1:] for row in sorted(found)], np.float64))


def test_weights_may_be_read_from_a_table() -> None:
    case = CASES["binned_logistic"]()
    model = case.model
    assert isinstance(model, LinearModel)
    [table] = weight_tables(model.role, len(model.weights_of(0)))
    *_, (_, [row]) = linear_rows(model, CONTENT)
    types = {ColumnType.TEXT: "text", ColumnType.INTEGER: "bigint", ColumnType.NUMBER: "double"}
    columns = ", ".join(f"{one.name} {types[one.type]}" for one in table.columns)
    values = ", ".join(repr(value) for value in row)
    other = ", ".join(repr(value) for value in ("f" * 64, *row[1:3], *(9.0 for _ in row[3:])))

    statement = written_statement(model, Dialect.DUCKDB, "kept", "own_weights", CONTENT)

    filling = f"INSERT INTO own_weights VALUES ({values}), ({other})"
    check(case, on_duckdb(case, statement, f"CREATE TABLE own_weights ({columns})", filling))


def test_trees_have_no_table_of_weights() -> None:
    with pytest.raises(ModelTableError, match="no table of weights"):
        written_statement(CASES["forest"]().model, Dialect.SPARK, "kept", "weights", CONTENT)


@pytest.mark.parametrize("name", ["", "a b", "a;b", "1a", 'a"b', "a.b.c.d", "a..b"])
def test_a_text_that_names_no_table_is_refused(name: str) -> None:
    with pytest.raises(ModelTableError, match="no name of a table"):
        written_statement(CASES["forest"]().model, Dialect.SPARK, name)
