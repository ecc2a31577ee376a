"""What a raw column holds, whatever its engine calls the type (requirements P2 to P4).

Raw columns are brought to the types of `scoring.tables` by one expression each, so that training
and scoring read the same value from the same field.
"""

import datetime as dt
import re
from collections.abc import Iterable
from enum import StrEnum

from sqlglot import exp

from scoring.literals import present
from scoring.tables import ColumnType

DATE_TEXT = r"\d{4}-\d{2}-\d{2}"
NUMBER_TEXT = r"(?i)([+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?inf(inity)?|nan)"


class RawKind(StrEnum):
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "time"  # a date, or a time of day on it
    ZONED_TIME = "zoned time"
    TEXT = "text"
    DATE_TEXT = "date as text"
    NUMBER_TEXT = "number as text"

    @property
    def type(self) -> ColumnType:
        """As what it is kept."""
        if self in (RawKind.TIME, RawKind.ZONED_TIME, RawKind.DATE_TEXT):
            return ColumnType.TIME
        return ColumnType.TEXT if self is RawKind.TEXT else ColumnType.NUMBER


def kind_of_texts(texts: Iterable[str | None], *, numbers: bool = False) -> RawKind:
    """Text that is a date wherever it is given is dates; `numbers`: the same for numbers.

    A column without any text counts as numbers that are all missing.
    """
    given = {text for text in texts if text}
    if all(re.fullmatch(DATE_TEXT, text) and _is_day(text) for text in given):
        return RawKind.DATE_TEXT if given else RawKind.NUMBER_TEXT
    if numbers and all(re.fullmatch(NUMBER_TEXT, text) for text in given):
        return RawKind.NUMBER_TEXT
    return RawKind.TEXT


def raw_expression(column: exp.Expression, kind: RawKind, dialect: str) -> exp.Expression:
    """The column's value as text, number (missing is null, never NaN) or time."""
    if kind is RawKind.TEXT:
        return exp.cast(column, exp.DataType.Type.TEXT)
    if kind is RawKind.TIME and dialect == "sqlite":
        return column  # any expression would make it text
    if kind is RawKind.BOOLEAN:
        yes, no = (exp.cast(exp.Literal.number(value), "DOUBLE") for value in (1, 0))
        return exp.Case().when(column.copy(), yes).when(exp.Not(this=column.copy()), no)
    if kind is RawKind.ZONED_TIME:
        return exp.AtTimeZone(this=column, zone=exp.Literal.string("UTC"))
    if kind in (RawKind.DATE_TEXT, RawKind.NUMBER_TEXT):
        column = exp.Nullif(
            this=exp.cast(column, exp.DataType.Type.TEXT), expression=exp.Literal.string("")
        )
    if kind.type is ColumnType.TIME:
        return exp.cast(column, exp.DataType.Type.TIMESTAMP)
    return present(exp.cast(column, exp.DataType.Type.DOUBLE), dialect)


def _is_day(text: str) -> bool:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True
