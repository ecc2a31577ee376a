"""What PyHive 0.7.0 gets wrong, put right on both flavours (C2)."""

import logging
import math
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from scoring.engines.hive_connecting import connect
from scoring.engines.hive_dialect import DRIVER
from scoring.engines.hive_literals import literal, quoted
from scoring.engines.rendering import render
from scoring.engines.settings import resolved_url
from scoring.errors import EngineError
from tests.hive.servers import HiveServer

METADATA = sa.MetaData()
MODELS = sa.Table(
    "models",
    METADATA,
    sa.Column("model_id", sa.String),
    sa.Column("weight", sa.Float),
    sa.Column("exact", sa.Double),
    sa.Column("price", sa.Numeric(18, 6)),
    sa.Column("version", sa.BigInteger),
    sa.Column("made_on", sa.Date),
    sa.Column("made_at", sa.TIMESTAMP),
    sa.Column("active", sa.Boolean),
)


@pytest.fixture(params=["spark", pytest.param("hive", marks=pytest.mark.real_hive)])
def hive(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    """A SQLAlchemy engine on an empty database."""
    name = "spark_server" if request.param == "spark" else "real_hive"
    server: HiveServer = request.getfixturevalue(name)
    settings = server.fresh_database(monkeypatch)
    folder = Path()
    url = resolved_url(settings, folder)
    engine = sa.create_engine(f"{DRIVER}://", creator=lambda: connect(url, settings, folder))
    yield engine
    engine.dispose()


def test_tables_are_made_found_reflected_and_dropped(hive: sa.Engine) -> None:
    assert not sa.inspect(hive).has_table("models")
    METADATA.create_all(hive)
    METADATA.create_all(hive)
    found = sa.inspect(hive)
    assert found.has_table("models")
    assert found.get_table_names() == ["models"]
    assert found.get_view_names() == []
    types = {column["name"]: str(column["type"]).upper() for column in found.get_columns("models")}
    assert types["weight"] == types["exact"] == "DOUBLE"
    assert types["price"] == "DECIMAL(18, 6)"
    assert types["made_on"] == "DATE"
    METADATA.drop_all(hive)
    assert not sa.inspect(hive).has_table("models")


def test_values_come_back_as_they_were(hive: sa.Engine) -> None:
    METADATA.create_all(hive)
    row = {
        "model_id": "o'brien ${x} 100 %",
        "weight": 0.1,
        "exact": -math.inf,
        "price": Decimal("12345678901.123456"),
        "version": -(2**63),
        "made_on": date(2024, 2, 29),
        "made_at": datetime(2024, 2, 29, 12, 0, 0, 5),  # noqa: DTZ001 - Hive has no zones
        "active": True,
    }
    with hive.begin() as connection:
        connection.execute(sa.insert(MODELS).from_select(list(row), sa.select(*_bound(row))))
        found = connection.execute(sa.select(MODELS)).mappings().one()
    assert {name: found[name] for name in row} == row


def test_an_insert_keeps_its_list_of_columns(hive: sa.Engine) -> None:
    METADATA.create_all(hive)
    with hive.begin() as connection:
        chosen = sa.select(sa.literal(7, sa.BigInteger), sa.literal("m"))
        connection.execute(sa.insert(MODELS).from_select(["version", "model_id"], chosen))
        found = connection.execute(sa.select(MODELS.c.model_id, MODELS.c.version)).all()
    assert found == [("m", 7)]


def test_statements_are_not_logged(hive: sa.Engine, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), hive.connect() as connection:
        connection.execute(sa.select(sa.literal("a customer's id"))).all()
    assert "customer" not in caplog.text


# The texts of values


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_quoted_text_ends_where_it_ends_and_has_no_variable(text: str) -> None:
    inside = quoted(text)[1:-1]
    assert "$" not in inside
    assert not any(character < " " for character in inside)
    assert _unquoted(inside) == text


@given(st.floats(allow_nan=False))
def test_a_double_keeps_its_last_bit(value: float) -> None:
    text = literal(value).removeprefix("CAST('").removesuffix("' AS DOUBLE)")
    assert float(text) == value


def test_what_has_no_literal_is_refused() -> None:
    assert literal(math.nan) == "CAST(NULL AS DOUBLE)"
    assert literal(datetime(2024, 1, 1, tzinfo=UTC)).startswith("CAST('2024-01-01 00:00:00.")
    assert literal(b"\x00'") == "UNHEX('0027')"
    for value in ("nul\0", [1], object()):
        with pytest.raises(EngineError):
            literal(value)


def test_a_query_is_ordered_by_the_names_of_its_result() -> None:
    """Hive knows no others there: neither a table's nor its alias."""
    query = sqlglot.parse_one("SELECT t.a AS a, t.b FROM x AS t ORDER BY t.a DESC, t.b")
    assert render(query, "hive") == "SELECT t.a AS a, t.b FROM x AS t ORDER BY a DESC, t.b"


def _bound(row: dict[str, object]) -> list[sa.ColumnElement[object]]:
    return [sa.bindparam(None, value, MODELS.c[name].type) for name, value in row.items()]


def _unquoted(inside: str) -> str:
    """As both flavours' parsers read it."""
    text, position = "", 0
    while position < len(inside):
        if inside[position] != "\\":
            assert inside[position] != "'"
            text += inside[position]
            position += 1
        elif inside[position + 1] == "u":
            text += chr(int(inside[position + 2 : position + 6], 16))
            position += 6
        else:
            text += inside[position + 1]
            position += 2
    return text
