"""Values as literals of Hive's and Spark's SQL, which take no parameters from a client.

Numbers and times are casts from text: the one spelling that both read to the last bit, with
infinities and the smallest integer, whatever type a bare number would have.
"""

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

from sqlglot import exp
from sqlglot.dialects.hive import Hive
from sqlglot.dialects.spark import Spark
from sqlglot.generators.hive import HiveGenerator
from sqlglot.generators.spark import SparkGenerator

from scoring.engines.engine import Value
from scoring.errors import EngineError

INFINITIES = {math.inf: "Infinity", -math.inf: "-Infinity"}


def quoted(text: str) -> str:
    r"""A string literal.

    Besides quotes and backslashes, `$` goes as \u0024: servers replace `${name}` by variables of
    theirs, inside literals too. So do control characters, which scripts and shells may trip over.
    """
    if "\0" in text:
        raise EngineError("a text with a NUL character cannot be written for Hive")
    plain = text.replace("\\", "\\\\").replace("'", "\\'")
    return "'" + "".join(_escaped(character) for character in plain) + "'"


def _escaped(character: str) -> str:
    return f"\\u{ord(character):04x}" if character == "$" or character < " " else character


def literal(value: object) -> str:
    """Any value that a table may hold, and those that SQLAlchemy binds besides."""
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).upper()
        case str():
            return quoted(value)
        case bytes():
            return f"UNHEX('{value.hex()}')"
    text, kind = _cast(value)
    return f"CAST({text} AS {kind})"


def _cast(value: object) -> tuple[str, str]:
    match value:
        case int():
            return f"'{value}'", "BIGINT"
        case float() if math.isnan(value):
            return "NULL", "DOUBLE"
        case float():
            return f"'{INFINITIES.get(value, repr(value))}'", "DOUBLE"
        case Decimal():
            places = max(0, -int(value.as_tuple().exponent))
            return f"'{value:f}'", f"DECIMAL(38,{places})"
        case datetime():
            return f"'{_utc(value):%Y-%m-%d %H:%M:%S.%f}'", "TIMESTAMP"
        case date():
            return f"'{value.isoformat()}'", "DATE"
    raise EngineError(f"a {type(value).__name__} cannot be written for Hive")


def literal_trees(parameters: Mapping[str, Value]) -> dict[str, exp.Expr]:
    """For a sqlglot tree: raw text of this module, which the dialects below leave as it is."""
    return {name: exp.Var(this=literal(value)) for name, value in parameters.items()}


def _utc(value: datetime) -> datetime:
    return value if value.tzinfo is None else value.astimezone(UTC)


class _HiveText(HiveGenerator):
    def literal_sql(self, expression: exp.Literal) -> str:
        return _literal_sql(expression)

    def order_sql(self, expression: exp.Order, flat: bool = False) -> str:
        """Of a query: by the names of its result, for Hive knows the tables' no more."""
        if isinstance(expression.parent, exp.Select):
            aliases = {one.alias for one in expression.parent.selects if one.alias}
            for column in expression.find_all(exp.Column):
                if column.name in aliases:
                    column.set("table", None)
        return super().order_sql(expression, flat)


class _SparkText(SparkGenerator):
    def literal_sql(self, expression: exp.Literal) -> str:
        return _literal_sql(expression)


class TallyHive(Hive):
    """sqlglot's Hive, with string literals as above."""

    Generator = _HiveText


class TallySpark(Spark):
    """sqlglot's Spark, with string literals as above."""

    Generator = _SparkText


def _literal_sql(expression: exp.Literal) -> str:
    text = str(expression.this)
    return quoted(text) if expression.is_string else text
