"""What holds on every engine (requirements C2, C3, S2)."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest
from sqlglot import exp, parse_one

from scoring.engines.engine import Engine
from scoring.engines.statements import column_of, name_of
from scoring.errors import EngineError, MissingTableError, TableConflictError
from scoring.tables import Column, ColumnType, Table
from tests.scoring.engines.conftest import Open
from tests.scoring.engines.rows import NOON, SAMPLES, all_of, batch, content, sample, streamed

HOSTILE = [
    "",
    " ",
    "NULL",
    "\\N",
    "o'brien",
    'say "hi"',
    "back\\slash\\",
    "two\nlines\r\nand\ttab",
    "a\n\\.\nb",
    "100 % %s %(x)s {0}",
    "${system:user.name} ${hiveconf:x} $1",
    "a; DROP TABLE samples; --",
    "/* no */ -- comment",
    "\u0001\u001a\u0007",
    "汉字 😀 e\u0301 \u202e",
    "'; ${x} \\' \\u0041",
]
EXTREMES = [
    0.1,
    1 / 3,
    5e-324,
    -2.2250738585072014e-308,
    1.7976931348623157e308,
    1e22,
    123456789.12345679,
    math.inf,
    -math.inf,
]


# Tables


def test_a_table_that_is_not_there_has_no_columns(engine: Engine) -> None:
    assert engine.columns("samples") is None


def test_ensuring_a_table_twice_makes_it_once_and_keeps_its_rows(engine: Engine) -> None:
    engine.ensure(SAMPLES)
    engine.append(SAMPLES, [batch([sample("a")])])
    engine.ensure(SAMPLES)
    assert engine.columns("samples") == SAMPLES.columns
    assert content(engine) == [sample("a")]


def test_a_table_with_other_columns_is_a_conflict_and_stays(engine: Engine) -> None:
    engine.ensure(SAMPLES)
    other = Table("samples", (*SAMPLES.columns[:3], Column("more", ColumnType.TEXT)), SAMPLES.key)
    with pytest.raises(TableConflictError, match="samples with other columns"):
        engine.ensure(other)
    assert engine.columns("samples") == SAMPLES.columns


def test_the_type_of_a_column_is_part_of_the_conflict(engine: Engine) -> None:
    engine.ensure(SAMPLES)
    columns = (*SAMPLES.columns[:2], Column("balance", ColumnType.TEXT), SAMPLES.columns[3])
    with pytest.raises(TableConflictError, match="balance"):
        engine.ensure(Table("samples", columns, SAMPLES.key))


def test_names_may_be_reserved_words(engine: Engine) -> None:
    columns = tuple(Column(name, ColumnType.TEXT) for name in ("select", "user", "table"))
    order = Table("order", columns, ("select",))
    engine.ensure(order)
    engine.append(order, [batch([("1", "2", "3")], order)])
    engine.merge(order, [batch([("1", "2", "4")], order)])
    assert content(engine, order) == [("1", "2", "4")]


def test_a_dropped_table_is_gone_and_dropping_it_again_is_no_fault(engine: Engine) -> None:
    engine.ensure(SAMPLES)
    engine.append(SAMPLES, [batch([sample("a")])])
    engine.drop("samples")
    engine.drop("samples")
    assert engine.columns("samples") is None
    engine.ensure(SAMPLES)
    assert content(engine) == []


# Loading


def test_appended_rows_add_up_over_batches_and_calls(engine: Engine) -> None:
    engine.ensure(SAMPLES)
    assert engine.append(SAMPLES, [batch([sample("a"), sample("b")]), batch([sample("c")])]) == 3
    assert engine.append(SAMPLES, [batch([sample("d")])]) == 1
    assert engine.append(SAMPLES, []) == 0
    assert content(engine) == [sample(name) for name in "abcd"]


def test_columns_may_come_in_any_order(engine: Engine) -> None:
    engine.ensure(SAMPLES)
    rows = batch([sample("a", visits=7)])
    engine.append(SAMPLES, [rows.select(["seen", "balance", "visits", "sample_id"])])
    assert content(engine) == [sample("a", visits=7)]


def test_merging_replaces_by_key_and_the_last_row_wins(engine: Engine) -> None:
    engine.ensure(SAMPLES)
    engine.append(SAMPLES, [batch([sample("a", 1), sample("b", 1)])])
    first = batch([sample("b", 2), sample("c", 2)])
    assert engine.merge(SAMPLES, [first, batch([sample("b", 3)])]) == 3
    assert content(engine) == [sample("a", 1), sample("b", 3), sample("c", 2)]


def test_merging_the_same_twice_changes_nothing(engine: Engine) -> None:
    engine.ensure(SAMPLES)
    for _ in range(2):
        engine.merge(SAMPLES, [batch([sample("a"), sample("b")])])
    assert content(engine) == [sample("a"), sample("b")]


def test_adding_what_is_missing_leaves_what_is_there(engine: Engine) -> None:
    """Whatever order they come in, in how many batches; the last of those with one key wins."""
    engine.ensure(SAMPLES)
    engine.append(SAMPLES, [batch([sample("b", 1)])])
    first = batch([sample("d", 2), sample("c", 2), sample("b", 2)])
    engine.add_missing(SAMPLES, [first, batch([sample("a", 3), sample("d", 3)])])
    added = [sample("a", 3), sample("b", 1), sample("c", 2), sample("d", 3)]
    assert content(engine) == added
    engine.add_missing(SAMPLES, [batch([sample("d", 4)])])
    engine.add_missing(SAMPLES, [])
    assert content(engine) == added


def test_a_key_may_have_several_columns(engine: Engine) -> None:
    columns = (
        Column("model_id", ColumnType.TEXT),
        Column("version", ColumnType.INTEGER),
        Column("weight", ColumnType.NUMBER),
    )
    models = Table("models", columns, ("model_id", "version"))
    engine.ensure(models)
    engine.merge(models, [batch([("m", 1, 0.1), ("m", 2, 0.2)], models)])
    engine.merge(models, [batch([("m", 2, 0.3), ("n", 1, 0.4)], models)])
    assert content(engine, models) == [("m", 1, 0.1), ("m", 2, 0.3), ("n", 1, 0.4)]


def test_a_query_appends_without_its_rows_leaving_the_engine(engine: Engine) -> None:
    engine.ensure(SAMPLES)
    engine.append(SAMPLES, [batch([sample("a", 1)])])
    again = exp.select(
        exp.Literal.string("b"), column_of("visits") + 1, column_of("balance"), column_of("seen")
    ).from_(name_of("samples"))
    engine.append_query(SAMPLES, again)
    assert content(engine) == [sample("a", 1), sample("b", 2)]


def test_a_query_replaces_the_content_even_of_the_table_it_reads(engine: Engine) -> None:
    engine.ensure(SAMPLES)
    engine.append(SAMPLES, [batch([sample("a", 1), sample("b", 5)])])
    engine.replace_query(SAMPLES, all_of(SAMPLES).where(column_of("visits") > 2))
    assert content(engine) == [sample("b", 5)]
    engine.replace_query(SAMPLES, all_of(SAMPLES))
    assert content(engine) == [sample("b", 5)]


# Half a load is never seen


def test_a_load_that_fails_half_way_leaves_nothing(engine: Engine) -> None:
    engine.ensure(SAMPLES)
    engine.append(SAMPLES, [batch([sample("a")])])

    def failing() -> Iterator[pa.RecordBatch]:
        yield batch([sample(f"b{number}") for number in range(1000)])
        raise InterruptedError

    for load in (engine.append, engine.merge):
        with pytest.raises(InterruptedError):
            load(SAMPLES, failing())
        assert content(engine) == [sample("a")]
    engine.merge(SAMPLES, [batch([sample("c")])])
    assert content(engine) == [sample("a"), sample("c")]


def test_another_reader_sees_the_old_rows_until_a_load_is_complete(
    engine: Engine, open_again: Open
) -> None:
    engine.ensure(SAMPLES)
    engine.append(SAMPLES, [batch([sample("a", 1)])])
    reader = open_again()
    seen = []

    def observed() -> Iterator[pa.RecordBatch]:
        for number in range(3):
            yield batch([sample("a", 2), sample(f"b{number}")])
            seen.append(content(reader))

    engine.merge(SAMPLES, observed())
    assert seen == [[sample("a", 1)]] * 3
    assert [row[0] for row in content(reader)] == ["a", "b0", "b1", "b2"]


def test_a_stream_under_way_is_not_disturbed_by_a_load(engine: Engine) -> None:
    engine.ensure(SAMPLES)
    rows = [sample(f"{number:06}") for number in range(40_000)]
    engine.append(SAMPLES, [batch(rows)])
    stream = engine.stream(all_of(SAMPLES))
    found = streamed([next(stream)])
    engine.append(SAMPLES, [batch([sample("new")])])
    found += streamed(stream)
    assert sorted(found) == rows


def test_a_failing_query_replaces_nothing(engine: Engine) -> None:
    engine.ensure(SAMPLES)
    engine.append(SAMPLES, [batch([sample("a")])])
    with pytest.raises(MissingTableError):
        engine.replace_query(SAMPLES, exp.select("*").from_("nowhere"))
    assert content(engine) == [sample("a")]


# Values


@pytest.mark.parametrize("load", ["append", "merge"])
def test_extreme_numbers_come_back_to_the_last_bit(engine: Engine, load: str) -> None:
    engine.ensure(SAMPLES)
    integers = [2**63 - 1, -(2**63), 2**53 + 1, 0, -1]
    rows = [(f"n{i:02}", integers[i % 5], value, NOON) for i, value in enumerate(EXTREMES)]
    getattr(engine, load)(SAMPLES, [batch(rows)])
    found = content(engine)
    assert [row[:2] for row in found] == [row[:2] for row in rows]
    assert [row[2] for row in found] == EXTREMES
    assert sorted(streamed(engine.stream(all_of(SAMPLES)))) == found


def test_a_missing_number_is_null_and_so_is_nan(engine: Engine) -> None:
    engine.ensure(SAMPLES)
    engine.append(SAMPLES, [batch([("a", None, None, None), sample("b", balance=math.nan)])])
    assert content(engine) == [("a", None, None, None), ("b", 1, None, NOON)]
    missing = exp.column("balance").is_(exp.Null())
    assert len(engine.rows(all_of(SAMPLES).where(missing))) == 2
    given = exp.select(exp.cast(exp.Placeholder(this="x"), "double").as_("x"))
    assert engine.rows(given, {"x": math.nan}) in ([(None,)], [[None]])


@pytest.mark.parametrize("load", ["append", "merge"])
def test_hostile_text_comes_back_as_it_was(engine: Engine, load: str) -> None:
    engine.ensure(SAMPLES)
    getattr(engine, load)(SAMPLES, [batch([sample(text) for text in HOSTILE])])
    assert {row[0] for row in content(engine)} == set(HOSTILE)
    assert {row[0] for row in streamed(engine.stream(all_of(SAMPLES)))} == set(HOSTILE)


def test_hostile_text_is_only_a_parameter(engine: Engine) -> None:
    engine.ensure(SAMPLES)
    engine.append(SAMPLES, [batch([sample(text) for text in HOSTILE])])
    query = all_of(SAMPLES).where(column_of("sample_id").eq(exp.Placeholder(this="id")))
    for text in HOSTILE:
        assert [row[0] for row in engine.rows(query, {"id": text})] == [text]
    assert [row[0] for row in streamed(engine.stream(query, {"id": "o'brien"}))] == ["o'brien"]


def test_a_literal_in_a_tree_is_only_text(engine: Engine) -> None:
    literals = [exp.alias_(exp.Literal.string(text), f"t{i}") for i, text in enumerate(HOSTILE)]
    assert [tuple(row) for row in engine.rows(exp.select(*literals))] == [tuple(HOSTILE)]


def test_times_are_utc_with_microseconds(engine: Engine) -> None:
    engine.ensure(SAMPLES)
    east = timezone(timedelta(hours=8))
    given = [
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2024, 3, 31, 2, 30, tzinfo=UTC),
        datetime(2024, 6, 1, 8, 0, 0, 1, tzinfo=east),
        datetime(9999, 1, 1, tzinfo=UTC),
    ]
    engine.append(SAMPLES, [batch([(f"t{i}", 1, 1.0, time) for i, time in enumerate(given)])])
    found = content(engine)
    assert [row[3] for row in found] == given
    assert all(row[3].utcoffset() == timedelta(0) for row in found)
    query = all_of(SAMPLES).where(column_of("seen") > exp.Placeholder(this="t"))
    assert {row[0] for row in engine.rows(query, {"t": given[1]})} == {"t2", "t3"}


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        (pa.RecordBatch.from_pydict({"sample_id": ["a"]}), "visits"),
        (batch([sample("a")]).append_column("more", pa.array([1])), "more"),
        (batch([sample("nul\0nul")]), "NUL"),
        (batch([(None, 1, 1.0, NOON)]), "no sample_id"),
        (batch([sample("a")]).set_column(1, "visits", pa.array([1.5])), "visits"),
        (batch([sample("a")]).set_column(2, "balance", pa.array(["secret"])), "balance"),
    ],
)
def test_rows_that_do_not_fit_are_refused_without_quoting_them(
    engine: Engine, rows: pa.RecordBatch, complaint: str
) -> None:
    engine.ensure(SAMPLES)
    with pytest.raises(EngineError, match=complaint) as refusal:
        engine.append(SAMPLES, [batch([sample("b")]), rows])
    assert "secret" not in str(refusal.value)
    assert content(engine) == []


# Asking


def test_a_stream_has_the_four_types_and_no_batch_without_a_row(engine: Engine) -> None:
    engine.ensure(SAMPLES)
    assert list(engine.stream(all_of(SAMPLES))) == []
    engine.append(SAMPLES, [batch([sample("a")])])
    (found,) = engine.stream(all_of(SAMPLES))
    assert found.schema.types == [pa.string(), pa.int64(), pa.float64(), pa.timestamp("us", "UTC")]
    assert found.schema.names == [column.name for column in SAMPLES.columns]


def test_a_stream_comes_in_batches_and_may_be_left(engine: Engine) -> None:
    engine.ensure(SAMPLES)
    engine.append(SAMPLES, [batch([sample(f"{n}") for n in range(70_000)])])
    sizes = [found.num_rows for found in engine.stream(all_of(SAMPLES))]
    assert sum(sizes) == 70_000
    assert len(sizes) > 1
    stream = engine.stream(all_of(SAMPLES))
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    engine.drop("samples")
    assert engine.columns("samples") is None


def test_a_prepared_query_answers_for_one_parameter_after_another(engine: Engine) -> None:
    engine.ensure(SAMPLES)
    engine.append(SAMPLES, [batch([sample("a", 1), sample("b", 2)])])
    look_up = engine.prepare(
        exp.select(column_of("visits"), column_of("seen"))
        .from_(name_of("samples"))
        .where(column_of("sample_id").eq(exp.Placeholder(this="id")))
    )
    answers = [[tuple(row) for row in look_up({"id": name})] for name in ("a", "b", "c", "a")]
    assert answers == [[(1, NOON)], [(2, NOON)], [], [(1, NOON)]]


def test_the_arithmetic_of_scores_is_that_of_doubles(engine: Engine) -> None:
    """EXP, LN, CASE, CAST, COALESCE and GREATEST, joined with a model by its key, never crossed."""
    engine.ensure(SAMPLES)
    engine.append(SAMPLES, [batch([sample("a", 3, 0.1), sample("b", 4, None), sample("c", 5, -2)])])
    models = Table(
        "models",
        (Column("model_id", ColumnType.TEXT), Column("weight", ColumnType.NUMBER)),
        ("model_id",),
    )
    engine.ensure(models)
    engine.append(models, [batch([("m", 0.3), ("n", 9.0)], models)])
    query = parse_one(
        """
        SELECT f.sample_id AS sample_id,
          1.0 / (1.0 + EXP(-(m.weight * COALESCE(f.balance, 2.5) + CAST(f.visits AS DOUBLE) / 2)))
            AS p,
          CASE WHEN f.balance IS NULL THEN -1 WHEN f.balance < 0.05 THEN 0 ELSE 1 END AS leaf,
          LN(GREATEST(CAST(f.visits AS DOUBLE), CAST(4 AS DOUBLE))) AS l
        FROM (SELECT samples.*, 'm' AS model_id FROM samples) AS f
        JOIN models AS m ON m.model_id = f.model_id
        ORDER BY sample_id
        """,
        read="duckdb",
    )
    assert isinstance(query, exp.Query)
    found = [tuple(row) for row in engine.rows(query)]

    def p(balance: float, visits: int) -> float:
        return 1 / (1 + math.exp(-(0.3 * balance + visits / 2)))

    assert [(row[0], row[2]) for row in found] == [("a", 1), ("b", -1), ("c", 0)]
    assert [row[1] for row in found] == pytest.approx([p(0.1, 3), p(2.5, 4), p(-2, 5)], rel=1e-12)
    assert [row[3] for row in found] == pytest.approx([math.log(n) for n in (4, 4, 5)], rel=1e-12)


# Faults


def test_a_missing_table_is_named(engine: Engine) -> None:
    for ask in (engine.rows, lambda query: list(engine.stream(query))):
        with pytest.raises(MissingTableError, match="nowhere"):
            ask(exp.select("*").from_("nowhere"))
    with pytest.raises(MissingTableError, match="samples"):
        engine.append(SAMPLES, [batch([sample("a")])])


def test_an_engine_goes_on_after_a_fault(engine: Engine) -> None:
    engine.ensure(SAMPLES)
    with pytest.raises(EngineError):
        engine.rows(exp.select("no_such_column").from_(name_of("samples")))
    engine.append(SAMPLES, [batch([sample("a")])])
    assert content(engine) == [sample("a")]


def test_its_address_has_no_secret_and_its_dialect_is_known(engine: Engine) -> None:
    assert "://" in engine.address
    assert exp.select("1").sql(dialect=engine.dialect) == "SELECT 1"
    assert engine.most_columns >= 500
