"""3,000 features on every engine (P6, S2)."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from sqlglot import exp

from scoring.engines.engine import Engine
from scoring.errors import EngineError, TableConflictError
from scoring.table_parts import split
from scoring.tables import Column, ColumnType, Table
from scoring.wide_tables import WideTable
from tests.scoring.engines.conftest import Open

MOST = 3_000
SAMPLE_ID = Column("sample_id", ColumnType.TEXT)
NAMES = [f"x{number}" for number in range(MOST)]
WEIGHTS = np.random.default_rng(5).normal(size=MOST)


def features(width: int) -> Table:
    columns = (Column(name, ColumnType.NUMBER) for name in NAMES[:width])
    return Table("features", (SAMPLE_ID, *columns), ("sample_id",))


FEATURES = features(MOST)


def width_on(engine: Engine) -> int:
    """The metastore of the tests' own Hive is in Derby, whose texts end at 32,700 characters."""
    return 2_000 if engine.dialect == "hive" else MOST


def rows(names: str, seed: int, width: int = MOST) -> tuple[pa.RecordBatch, np.ndarray]:
    values = np.random.default_rng(seed).normal(size=(len(names), width))
    arrays = [pa.array(list(names)), *(pa.array(column) for column in values.T)]
    return pa.RecordBatch.from_arrays(arrays, ["sample_id", *NAMES[:width]]), values


def weighted_sum(width: int) -> exp.Expr:
    """Balanced, for engines limit the depth of an expression."""
    terms: list[exp.Expr] = [
        exp.Mul(this=exp.column(name), expression=exp.convert(float(weight)))
        for name, weight in zip(NAMES[:width], WEIGHTS[:width], strict=True)
    ]
    while len(terms) > 1:
        pairs = zip(terms[::2], [*terms[1::2], None], strict=False)
        terms = [
            exp.Paren(this=exp.Add(this=left, expression=right)) if right else left
            for left, right in pairs
        ]
    return exp.cast(terms[0], "double").as_("score")


def scores(table: WideTable, engine: Engine) -> dict[str, float]:
    total = weighted_sum(len(table.table.columns) - 1)
    found = engine.rows(table.select([exp.column("sample_id"), total]))
    return {str(name): float(score) for name, score in found}  # type: ignore[arg-type]


def test_thousands_of_features_are_loaded_replaced_and_scored(engine: Engine) -> None:
    width = width_on(engine)
    table = WideTable(engine, features(width)).ensure().ensure()
    batch, values = rows("abc", 1, width)
    assert table.append([batch]) == 3
    newer, newer_values = rows("cd", 2, width)
    assert table.merge([newer]) == 2
    sums = [*(values[:2] @ WEIGHTS[:width]), *(newer_values @ WEIGHTS[:width])]
    expected = dict(zip("abcd", sums, strict=True))
    assert scores(table, engine) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    few = engine.rows(table.relation(["x0", "x1700", "x1999"]))
    assert sorted(tuple(row) for row in few)[3] == ("d", *newer_values[1][[0, 1700, 1999]])


def test_a_wide_load_that_fails_half_way_leaves_nothing(engine: Engine, open_again: Open) -> None:
    width = width_on(engine)
    table = WideTable(engine, features(width)).ensure()
    reader = open_again()
    seen = []

    def failing() -> Iterator[pa.RecordBatch]:
        yield rows("ab", 1, width)[0]
        seen.append(reader.rows(WideTable(reader, features(width)).relation(["x1999"])))
        raise InterruptedError

    for load in (table.append, table.merge):
        with pytest.raises(InterruptedError):
            load(failing())
    assert engine.rows(table.relation(["x1999"])) == []
    assert [len(found) for found in seen] == [0, 0]


def test_a_table_that_fits_stays_in_one_piece() -> None:
    assert split(FEATURES, 3_001) == (FEATURES,)


def test_a_table_that_does_not_fit_is_numbered_and_every_part_has_the_key() -> None:
    parts = split(FEATURES, 1_000)
    assert [part.name for part in parts] == [f"features_{n}" for n in (1, 2, 3, 4)]
    assert all(part.columns[0].name == "sample_id" for part in parts)
    assert all(len(part.columns) <= 1_000 for part in parts)
    assert [c.name for part in parts for c in part.columns[1:]] == NAMES


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_wider_table_of_the_same_name_is_a_conflict(engine: Engine) -> None:
    wider = [Column(f"y{number}", ColumnType.NUMBER) for number in range(1_000)]
    WideTable(engine, Table("features", (*FEATURES.columns, *wider), ("sample_id",))).ensure()
    with pytest.raises(TableConflictError, match="more columns"):
        WideTable(engine, FEATURES).ensure()


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_only_the_parts_that_are_needed_are_read(engine: Engine) -> None:
    table = WideTable(engine, FEATURES)
    assert "features_2" not in table.relation(["x0"]).sql("sqlite")
    with pytest.raises(EngineError, match="no column y"):
        table.relation(["y"])
