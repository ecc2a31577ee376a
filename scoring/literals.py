"""The smallest parts of a scoring expression, alike on every engine.

Numbers are doubles to the last bit: an exponent makes `1.5E0` one for DuckDB, Spark and Hive,
which read `1.5` as a decimal; PostgreSQL needs a cast; SQLite's reader is exact with 17 digits,
and not always with the shortest that a double needs.
"""

from collections.abc import Sequence
from math import isfinite

import numpy as np
from sqlglot import exp

from scoring.errors import ScoringError

# Of the dialects, those whose engines know NaN, and hold it equal to itself.
NAN_EQUALS_NAN = frozenset({"duckdb", "postgres", "spark", "spark2", "databricks"})
Branch = tuple[exp.Expression, exp.Expression]  # a condition and a value
LARGEST = float(np.finfo(np.float64).max)


def number(value: float, dialect: str) -> exp.Expression:
    if not isfinite(value):
        raise ScoringError("a model holds a number that is not finite")
    mantissa, exponent = f"{abs(value):.16e}".split("e")
    whole, fraction = mantissa.split(".")
    digits = f"{whole}.{fraction.rstrip('0') or '0'}E{int(exponent)}"
    literal: exp.Expression = exp.Literal(this=digits, is_string=False)
    if dialect == "postgres":
        literal = exp.cast(literal, exp.DataType.Type.DOUBLE)
    return exp.Neg(this=literal) if value < 0 else literal


def text(value: str) -> exp.Expression:
    return exp.Literal.string(value)


def column(name: str, table: str) -> exp.Column:
    return exp.column(name, table=table, quoted=True)


def present(value: exp.Expression, dialect: str) -> exp.Expression:
    """NULL for NaN, on engines that can hold one: a missing value then has one form only."""
    if dialect in NAN_EQUALS_NAN:
        not_a_number = exp.cast(exp.Literal.string("NaN"), exp.DataType.Type.DOUBLE)
        return exp.Nullif(this=value, expression=not_a_number)
    if dialect == "hive":  # compares as Java does: NaN is neither
        zero = number(0.0, dialect)
        known = exp.or_(exp.LTE(this=value, expression=zero), exp.GT(this=value, expression=zero))
        return exp.Case(ifs=[exp.If(this=known, true=value.copy())])
    if dialect == "flink":  # likewise; but makes "is there" of what holds for all numbers together
        known = exp.GTE(this=exp.Abs(this=value), expression=number(0.0, dialect))
        return exp.Case(ifs=[exp.If(this=known, true=value.copy())])
    return value


def computed_once(value: exp.Expression, dialect: str) -> exp.Expression:
    """A value that the query around reads several times.

    Flink writes it out at each place where it is read, so that layers multiply, unless it might be
    another one each time.
    """
    if dialect != "flink":
        return value
    always = exp.LT(this=exp.Rand(), expression=number(2.0, dialect))
    return exp.Case(ifs=[exp.If(this=always, true=value)])


def case(branches: Sequence[Branch], default: exp.Expression) -> exp.Expression:
    """The value of the first condition that holds."""
    if not branches:
        return default
    return exp.Case(ifs=[exp.If(this=when, true=then) for when, then in branches], default=default)


def total(terms: Sequence[exp.Expression], dialect: str) -> exp.Expression:
    """Their sum as a balanced tree: thousands of terms stay within every engine's depth."""
    if not terms:
        return number(0.0, dialect)
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    return exp.Add(
        this=_bracketed(total(terms[:half], dialect)),
        expression=_bracketed(total(terms[half:], dialect)),
    )


def _bracketed(term: exp.Expression) -> exp.Expression:
    return exp.Paren(this=term) if isinstance(term, exp.Binary | exp.Neg) else term


def conjunction(conditions: Sequence[exp.Expression]) -> exp.Expression:
    """All of them, each in brackets of its own where it needs them."""
    if len(conditions) == 1:
        return conditions[0]
    half = len(conditions) // 2
    left, right = conjunction(conditions[:half]), conjunction(conditions[half:])
    return exp.And(this=exp.Paren(this=left), expression=exp.Paren(this=right))
