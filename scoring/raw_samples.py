"""Raw samples that arrive one by one: a JSON object with the raw columns (requirement S6)."""

import datetime as dt
import json
import math
from collections.abc import Mapping, Sequence

from scoring.engines.engine import Value
from scoring.errors import RawSampleError
from scoring.features import column_name
from scoring.tables import Column, ColumnType, Table

LARGEST_BODY = 1024 * 1024
RawRow = tuple[Value, ...]


def parse_sample(body: bytes, table: Table) -> RawRow:
    """The row that a message holds, in the order of the raw table's columns.

    Columns go by their names; those left out are missing, the id may not be. Times are ISO 8601,
    UTC where no zone is given. Raises RawSampleError, whose text names columns and no values.
    """
    if len(body) > LARGEST_BODY:
        raise RawSampleError(f"a sample of {len(body)} bytes; {LARGEST_BODY} are the most")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise RawSampleError("not JSON") from None
    if not isinstance(found, dict):
        raise RawSampleError("not a JSON object of columns")
    names = {one.name for one in table.columns}
    values = {name if name in names else column_name(name): value for name, value in found.items()}
    if unknown := sorted(values.keys() - names):
        raise RawSampleError(f"unknown columns, {len(unknown)} of them")
    if len(values) != len(found):
        raise RawSampleError("a column is there twice")
    return tuple(_value(one, values.get(one.name), table) for one in table.columns)


def newest_rows(
    rows: Sequence[RawRow], table: Table, observed: str | None, known: Mapping[str, dt.datetime]
) -> list[RawRow]:
    """One row an id: the one observed last, or that came last; none older than what is `known`."""
    names = [one.name for one in table.columns]
    key = names.index(table.key[0])
    time = names.index(observed) if observed is not None else None
    newest: dict[Value, RawRow] = {}
    for row in rows:
        other = newest.get(row[key])
        if time is not None:
            bound = other[time] if other is not None else known.get(str(row[key]))
            seen = row[time]
            if isinstance(bound, dt.datetime) and isinstance(seen, dt.datetime) and seen < bound:
                continue
        newest[row[key]] = row
    return list(newest.values())


def _value(column: Column, value: object, table: Table) -> Value:
    if value is None or value == "":
        if column.name in table.key:
            raise RawSampleError(f"the id {column.name} is missing")
        return None
    if column.type is ColumnType.TEXT:
        return _text(column, value, is_key=column.name in table.key)
    if column.type is ColumnType.TIME:
        return _time(column, value)
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise RawSampleError(f"{column.name} is not a number")
    if column.type is ColumnType.NUMBER:
        return float(value)
    if int(value) != value or not -(2**63) <= value < 2**63:
        raise RawSampleError(f"{column.name} is not a whole number of 64 bits")
    return int(value)


def _text(column: Column, value: object, *, is_key: bool) -> str:
    if is_key and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or "\0" in value:
        raise RawSampleError(f"{column.name} is not a text")
    return value


def _time(column: Column, value: object) -> dt.datetime:
    try:
        time = dt.datetime.fromisoformat(str(value))
        return time.replace(tzinfo=dt.UTC) if time.tzinfo is None else time.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise RawSampleError(f"{column.name} is not a time as in ISO 8601") from None
