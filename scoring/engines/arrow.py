"""Between Arrow and the four types that every engine has (scoring.tables)."""

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from scoring.errors import EngineError
from scoring.tables import Column, ColumnType, Table

ARROW_TYPES = {
    ColumnType.TEXT: pa.string(),
    ColumnType.INTEGER: pa.int64(),
    ColumnType.NUMBER: pa.float64(),
    ColumnType.TIME: pa.timestamp("us", tz="UTC"),
}
NUL = "\0"
MOST_CELLS = 2**22  # of a batch: 32 MiB of doubles, four times as much of Python's objects


def rows_at_once(most: int, columns: int) -> int:
    """Rows of a batch, the fewer the wider it is: memory is that of some cells."""
    return max(1, min(most, MOST_CELLS // max(1, columns)))


def narrow_batches(batch: pa.RecordBatch, most: int) -> Iterator[pa.RecordBatch]:
    """A batch in pieces of `rows_at_once`."""
    rows = rows_at_once(most, batch.num_columns)
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


def arrow_schema(columns: Iterable[Column]) -> pa.Schema:
    return pa.schema([(column.name, ARROW_TYPES[column.type]) for column in columns])


def column_type(found: pa.DataType) -> ColumnType:
    """The nearest of the four. Raises EngineError for a list, a blob, …"""
    if pa.types.is_integer(found) or pa.types.is_boolean(found):
        return ColumnType.INTEGER
    if pa.types.is_floating(found) or pa.types.is_decimal(found) or pa.types.is_null(found):
        return ColumnType.NUMBER
    if pa.types.is_timestamp(found) or pa.types.is_date(found):
        return ColumnType.TIME
    text = found.value_type if pa.types.is_dictionary(found) else found
    if pa.types.is_string(text) or pa.types.is_large_string(text) or pa.types.is_string_view(text):
        return ColumnType.TEXT
    raise EngineError(f"{found} is none of text, integer, number and time: cast the column")


def conformed(table: Table, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches with the table's columns, in its order and types, fit for every engine.

    Raises EngineError: a column missing or unknown, a value that does not fit, a NULL in the key.
    """
    schema = arrow_schema(table.columns)
    for batch in batches:
        if missing := sorted(set(schema.names) ^ set(batch.schema.names)):
            raise EngineError(f"rows for {table.name}: {_few(missing)} missing, or unknown there")
        arrays = [
            _fit(batch.column(field.name), field, table.name, key=field.name in table.key)
            for field in schema
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch of an engine's own types in the four, NaN as NULL."""
    columns = [Column(field.name, column_type(field.type)) for field in batch.schema]
    schema = arrow_schema(columns)
    arrays = [
        _fit(array, field, "the result", key=False)
        for array, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def batch_of_columns(
    columns: Sequence[Column], values: Sequence[Sequence[object]], source: str
) -> pa.RecordBatch:
    """Columns of Python values as one batch."""
    schema = arrow_schema(columns)
    arrays = []
    for field, column_values in zip(schema, values, strict=True):
        try:
            array = pa.array(column_values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            raise _unfit(field.name, source, column_type(field.type)) from None
        arrays.append(_fit(array, field, source, key=False))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _fit(array: pa.Array, field: pa.Field, source: str, *, key: bool) -> pa.Array:
    """Without loss, except that any number may become a double. Quotes no value."""
    type_ = column_type(field.type)
    lossless = type_ is not ColumnType.NUMBER
    if array.null_count == len(array):  # of whatever type its engine took it to be
        array = pa.nulls(len(array), field.type)
    if array.type != field.type:
        found = None if pa.types.is_null(array.type) else column_type(array.type)
        numeric = {found, type_} == {ColumnType.INTEGER, ColumnType.NUMBER}
        if found not in (None, type_) and not numeric:
            raise _unfit(field.name, source, type_)
        try:
            if found is ColumnType.TIME and getattr(array.type, "tz", None) is None:
                array = array.cast(pa.timestamp("us"), safe=False)
            array = array.cast(field.type, safe=lossless)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise _unfit(field.name, source, type_) from None
    if type_ is ColumnType.NUMBER:
        not_a_number = pc.is_nan(array)
        if pc.any(not_a_number).as_py():
            array = pc.if_else(not_a_number, pa.scalar(None, field.type), array)
    if type_ is ColumnType.TEXT and pc.any(pc.match_substring(array, NUL)).as_py():
        raise EngineError(f"column {field.name} of {source}: a text has a NUL character in it")
    if key and array.null_count:
        raise EngineError(f"{array.null_count} rows for {source} have no {field.name}, its key")
    return array


def _unfit(column: str, source: str, type_: ColumnType) -> EngineError:
    return EngineError(f"column {column} of {source}: a value is no {type_}, or does not fit in it")


def _few(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
