"""Extraction scripts: one SELECT a kind of sample (requirement S5)."""

import pytest
from sqlglot import exp

from scoring.engines.opening import open_engine
from scoring.errors import ExtractionError
from scoring.extraction import generated_extraction, parse_extraction, restricted
from scoring.features import column
from scoring.tables import Column, ColumnType, Table
from scoring.wide_tables import WideTable

ASKED = exp.EQ(this=column("sample_id"), expression=exp.Placeholder(this="id"))


def filtered(script: str) -> str:
    query = parse_extraction(script, "duckdb", "customer.sql")
    return restricted(query, "sample_id", ASKED).sql("duckdb")


class TestScripts:
    @pytest.mark.parametrize(
        ("script", "told"),
        [
            ("SELECT 1; DROP TABLE x", "holds 2 statements: it has to be one SELECT"),
            ("", "holds 0 statements"),
            ("DROP TABLE customers", "is not a query"),
            ("COPY customers TO 'x'", "is not a query"),
            ("SELECT id AS sample_id, a INTO b FROM c", "is not a query"),
            (
                "WITH d AS (DELETE FROM c RETURNING id) SELECT id AS sample_id, 1 AS a FROM d",
                "read",
            ),
            ("SELEC 1 FROM x", "is not duckdb SQL: Invalid expression"),
            ("SELECT id AS sample_id, a FROM c WHERE id = ?", "has a parameter"),
            ("SELECT * FROM c", "selects *: name its columns"),
            ("SELECT id AS sample_id, a + 1 FROM c", "column 2 of customer.sql has no name"),
            ("SELECT id AS sample_id, a, b AS A FROM c", "yields a more than once"),
            ("SELECT id, a FROM c", "yields no column sample_id"),
            ("SELECT id AS sample_id, at AS observed_at FROM c", "yields no feature"),
        ],
    )
    def test_that_are_not_one_select_of_features_are_refused(self, script: str, told: str) -> None:
        with pytest.raises(ExtractionError, match=r"customer\.sql") as caught:
            parse_extraction(script, "duckdb", "customer.sql")

        assert told in str(caught.value)

    def test_may_end_with_a_semicolon_and_a_comment(self) -> None:
        script = "SELECT id AS sample_id, a FROM c; -- the end"

        assert parse_extraction(script, "duckdb", "x").named_selects == ["sample_id", "a"]

    def test_are_made_from_the_raw_table_where_none_is_written(self) -> None:
        names = ("customer", "seen", "income")
        raw = Table("raw", tuple(Column(name, ColumnType.TEXT) for name in names), ("customer",))

        with open_engine("duckdb://") as engine:
            table = WideTable(engine, raw)

        assert generated_extraction(table, "customer", "seen", ["income"]).sql("duckdb") == (
            'SELECT "part_1"."customer" AS "sample_id", "part_1"."seen" AS "observed_at", '
            '"part_1"."income" AS "income" FROM "raw" AS part_1'
        )


class TestReadingOneId:
    def test_filters_where_the_rows_are_read(self) -> None:
        script = "SELECT c.phone AS sample_id, a FROM c JOIN d ON c.phone = d.phone WHERE a > 0"

        assert filtered(script).endswith("WHERE a > 0 AND c.phone = $id")

    def test_filters_before_grouping_by_the_id(self) -> None:
        script = "SELECT phone AS sample_id, SUM(paid) AS paid FROM t GROUP BY phone"

        assert "FROM t WHERE phone = $id GROUP BY phone" in filtered(script)

    @pytest.mark.parametrize(
        "script",
        [
            "SELECT phone AS sample_id, RANK() OVER (ORDER BY paid) AS a FROM t",
            "SELECT phone AS sample_id, paid AS a FROM t LIMIT 5",
            "SELECT MAX(phone) AS sample_id, SUM(paid) AS a FROM t GROUP BY home",
            "SELECT phone AS sample_id, SUM(paid) AS a FROM t GROUP BY phone HAVING COUNT(*) > 1",
            "SELECT phone AS sample_id, a FROM t UNION ALL SELECT phone, a FROM u",
        ],
    )
    def test_filters_the_outcome_where_anything_else_would_change_the_meaning(
        self, script: str
    ) -> None:
        assert filtered(script).endswith(') AS extracted WHERE "sample_id" = $id')
