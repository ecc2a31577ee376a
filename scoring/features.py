"""Features: what a raw column becomes before bins are applied (requirements P3, P4).

The one definition that training and scoring share: numbers as they are, dates as days before the
observation day, texts as categories, an empty text and a missing value as null.
"""

import datetime as dt
import hashlib
import re
from collections.abc import Mapping

from sqlglot import exp

from scoring.errors import ExtractionError
from scoring.tables import NAME, Column, ColumnType, Table

SAMPLE_ID, OBSERVED_AT = "sample_id", "observed_at"
OWN_COLUMNS = (SAMPLE_ID, OBSERVED_AT)


def column_name(variable: str) -> str:
    """The column that holds a variable of any name: its own name where every engine takes it."""
    if NAME.fullmatch(variable) and variable not in OWN_COLUMNS:
        return variable
    plain = re.sub(r"[^a-z0-9_]", "_", variable.lower())[:40]
    return f"x_{plain}_{hashlib.sha256(variable.encode()).hexdigest()[:8]}"


def column(name: str, table: str | None = None) -> exp.Column:
    return exp.column(name, table, quoted=True)


def feature_expression(
    name: str, kind: ColumnType, dialect: str, observed: exp.Expression | None
) -> exp.Expression:
    """A raw column of one of our types as a feature: a number or a text.

    `observed` is the day that dates are counted to. Raises ExtractionError where it is needed and
    not known.
    """
    raw = column(name)
    if kind is ColumnType.TEXT:
        return exp.Nullif(this=raw, expression=exp.Literal.string(""))
    if kind is not ColumnType.TIME:
        return exp.cast(raw, exp.DataType.Type.DOUBLE)
    if observed is None:
        raise ExtractionError(f"the column {name} holds dates: give the day to count them to")
    return exp.cast(_days_between(raw, observed, dialect), "DOUBLE")


def feature_query(
    raw: exp.Query, columns: Mapping[str, ColumnType], dialect: str, observed_on: dt.date | None
) -> exp.Select:
    """sample_id, observed_at where the raw rows have it, and their columns as features.

    `columns` are those of `raw`, by name; dates count to `observed_on`, or else to the day on
    which each row was observed.
    """
    observed: exp.Expression | None = None
    if observed_on is not None:
        observed = exp.Literal.string(observed_on.isoformat())
    elif OBSERVED_AT in columns:
        observed = column(OBSERVED_AT)
    own = [column(name) for name in OWN_COLUMNS if name in columns]
    features = [
        feature_expression(name, kind, dialect, observed).as_(name, quoted=True)
        for name, kind in columns.items()
        if name not in OWN_COLUMNS
    ]
    return exp.select(*own, *features, copy=False).from_(
        raw.subquery("raw", copy=False), copy=False
    )


def feature_table(name: str, columns: Mapping[str, ColumnType]) -> Table:
    """The table of these features: numbers and texts, one row a sample."""
    kept = [Column(SAMPLE_ID, ColumnType.TEXT)]
    if OBSERVED_AT in columns:
        kept.append(Column(OBSERVED_AT, ColumnType.TIME))
    for feature, kind in columns.items():
        if feature not in OWN_COLUMNS:
            is_text = kind is ColumnType.TEXT
            kept.append(Column(feature, ColumnType.TEXT if is_text else ColumnType.NUMBER))
    return Table(name, tuple(kept), (SAMPLE_ID,))


def _days_between(first: exp.Expression, last: exp.Expression, dialect: str) -> exp.Expression:
    """Whole days from the day of one time to the day of another."""
    first, last = exp.cast(first, "DATE"), exp.cast(last, "DATE")
    if dialect == "postgres":
        return exp.Sub(this=last, expression=first)
    return exp.DateDiff(this=last, expression=first, unit=exp.Var(this="DAY"))
