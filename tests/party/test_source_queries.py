"""Customers out of a database, by a query (requirements P1, P2)."""

import datetime as dt
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from party.sources import SourceSettings, read_source
from tests.party.source_refusal import PRIVATE, refusal


class TestQueries:
    @pytest.fixture
    def database(self, tmp_path: Path) -> str:
        path = tmp_path / "bank.sqlite"
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE c (phone TEXT, y INT, paid REAL, seen TEXT, job TEXT)")
            connection.executemany(
                "INSERT INTO c VALUES (?, ?, ?, ?, ?)",
                [("01", 1, 2.5, "2024-01-31", "a"), ("02", 0, None, None, None)],
            )
        connection.close()
        return f"sqlite:///{path}"

    def test_a_query_at_a_sqlalchemy_address_is_read(self, database: str) -> None:
        table = read_source(
            SourceSettings(
                url=database,
                query="SELECT * FROM c WHERE ':x' = ':x' ORDER BY phone",
                observed_on=dt.date(2024, 2, 1),
            )
        )

        assert table.ids == ["01", "02"]
        assert table.label is not None
        assert table.label.tolist() == [1, -1]
        assert np.array_equal(table.columns["paid"], [2.5, np.nan], equal_nan=True)
        assert np.array_equal(table.columns["seen"], [1, np.nan], equal_nan=True)
        assert table.columns["job"].tolist() == ["a", None]

    def test_postgresql_types_are_understood(self, postgres_url: str) -> None:
        query = (
            "SELECT 17::bigint AS id, 1.5::numeric AS a, DATE '2024-01-01' AS b, true AS c, "
            "TIMESTAMP '2024-01-01 23:59' AS d, 'x'::text AS e, NULL::int AS f"
        )
        settings = SourceSettings(url=postgres_url, query=query, observed_on=dt.date(2024, 1, 3))

        table = read_source(settings)

        assert table.ids == ["17"]
        values = {name: column[0] for name, column in table.columns.items() if name != "f"}
        assert values == {"a": 1.5, "b": 2, "c": 1, "d": 2, "e": "x"}
        assert np.isnan(table.columns["f"][0])

    def test_many_rows_come_in_pieces_and_in_order(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path / 'many.sqlite'}"
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)"
        late = "CASE WHEN i > 11000 THEN 'late' END"

        table = read_source(
            SourceSettings(url=url, query=f"{numbers} SELECT i AS id, i * 2 AS a, {late} b FROM n")
        )

        assert table.ids == [str(number) for number in range(1, 12_001)]
        assert table.columns["a"][-1] == 24_000
        assert table.columns["b"].tolist() == [None] * 11_000 + ["late"] * 1000

    def test_numbers_mixed_with_text_are_refused(self, tmp_path: Path) -> None:
        query = "SELECT 1 AS id, 5 AS a UNION SELECT 2, 'five'"

        message = refusal(SourceSettings(url=f"sqlite:///{tmp_path / 'x'}", query=query))

        assert "the column a mixes numbers, dates or text" in message

    def test_a_table_that_is_not_there_is_told_in_the_databases_words(self, database: str) -> None:
        assert "no such table: d" in refusal(SourceSettings(url=database, query="SELECT * FROM d"))

    def test_an_unreachable_database_is_told_without_the_password(self) -> None:
        url = "postgresql+psycopg://bank:swordfish@127.0.0.1:1/x?connect_timeout=1"

        message = refusal(SourceSettings(url=url, query="SELECT 1"))

        assert "connection" in message
        assert "swordfish" not in message

    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("not a url", "is not a SQLAlchemy address"),
            ("nosuch://host/db", "unknown to SQLAlchemy"),
            ("mysql+pymysql://host/db", "needs the Python package"),
        ],
    )
    def test_an_address_that_cannot_be_is_refused(self, url: str, expected: str) -> None:
        assert expected in refusal(SourceSettings(url=url, query="SELECT 1"))

    def test_what_a_failing_conversion_quotes_is_not_told(self, postgres_url: str) -> None:
        query = f"SELECT CAST(id AS integer) AS id, 1 AS a FROM (VALUES ('{PRIVATE}x')) AS c (id)"

        assert "check the query's conversions" in refusal(
            SourceSettings(url=postgres_url, query=query)
        )
