"""Reading a CSV or Parquet file, also compressed, by DuckDB (requirement P1)."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from party.errors import SourceError
from party.raw import Choice, Choose, ColumnKind, RawColumn, RawTable

NUMBER_TYPES = re.compile(r"(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL.*|BOOLEAN)$")
DATE_TYPES = re.compile(r"(DATE|TIMESTAMP(_S|_MS|_NS)?|TIMESTAMP WITH TIME ZONE)$")
WHOLE_TYPES = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?$")
SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


def read_file(path: Path, choose: Choose) -> RawTable:
    """Read the chosen columns. Raises SourceError for a file that is absent, empty or broken."""
    if not path.is_file():
        raise SourceError("there is no such file")
    if path.stat().st_size == 0:
        raise SourceError("the file is empty")
    with duckdb.connect(config=SETTINGS) as connection:
        try:
            return _read(connection, path, choose, "")
        except duckdb.ConversionException:
            # A value far down does not fit the type of the first rows: look at all rows.
            return _read_again(connection, path, choose)
        except duckdb.Error as error:
            raise _unreadable(error) from None


def _read_again(connection: duckdb.DuckDBPyConnection, path: Path, choose: Choose) -> RawTable:
    try:
        return _read(connection, path, choose, ", sample_size=-1")
    except duckdb.Error as error:
        raise _unreadable(error) from None


def _read(
    connection: duckdb.DuckDBPyConnection, path: Path, choose: Choose, options: str
) -> RawTable:
    parquet = ".parquet" in path.suffixes
    scan = "read_parquet(?)" if parquet else f"read_csv(?, header=true{options})"
    described = connection.execute(f"DESCRIBE SELECT * FROM {scan}", [str(path)])  # noqa: S608
    types = {name: kind for name, kind, *_ in described.fetchall()}
    choice = choose(list(types))
    if not parquet:
        # Read as text from the start: a number would lose its leading zeros.
        scan = f"read_csv(?, header=true{options}, types={{{_text(choice.id)}: 'VARCHAR'}})"
    elif not (types[choice.id] == "VARCHAR" or WHOLE_TYPES.match(types[choice.id])):
        raise SourceError(
            f"the id column {choice.id} is of type {types[choice.id]}; "
            "store ids as text or whole numbers"
        )
    kinds = {name: _kind(name, types[name]) for name in choice.measured}
    wanted = [f"CAST({_name(choice.id)} AS VARCHAR)"]
    wanted += [
        _expression(name, kind, boolean=types[name] == "BOOLEAN") for name, kind in kinds.items()
    ]
    aliased = ", ".join(f"{wish} AS c{at}" for at, wish in enumerate(wanted))
    found = connection.execute(f"SELECT {aliased} FROM {scan}", [str(path)])  # noqa: S608
    table = _as_table(choice, kinds, found.fetchnumpy())
    return table if parquet else replace(table, columns=_with_odd_numbers(table.columns))


def _as_table(
    choice: Choice, kinds: dict[str, ColumnKind], arrays: dict[str, npt.NDArray[Any]]
) -> RawTable:
    """Takes the arrays out one by one, so that a wide table is never whole in memory twice."""
    ids = _texts(arrays.pop("c0"))
    columns = {}
    for at, (name, kind) in enumerate(kinds.items(), 1):
        array = arrays.pop(f"c{at}")
        values = _texts(array) if kind is ColumnKind.TEXT else np.ma.filled(array, np.nan)
        columns[name] = RawColumn(kind, values)
    return RawTable(choice, ids.tolist(), columns)


def _with_odd_numbers(columns: Mapping[str, RawColumn]) -> dict[str, RawColumn]:
    """DuckDB takes a CSV column of numbers for text where one of them is written "inf"."""
    return {name: _odd_numbers(column) for name, column in columns.items()}


def _odd_numbers(column: RawColumn) -> RawColumn:
    if column.kind is not ColumnKind.TEXT or all(text is None for text in column.values):
        return column
    try:
        numbers = [np.nan if text is None else float(text) for text in column.values]
    except ValueError:
        return column
    return RawColumn(ColumnKind.NUMBER, np.array(numbers))


def _texts(array: npt.NDArray[Any]) -> npt.NDArray[np.object_]:
    texts: npt.NDArray[np.object_] = np.ma.getdata(array).astype(object)
    texts[np.ma.getmaskarray(array)] = None
    return texts


def _kind(name: str, kind: str) -> ColumnKind:
    if NUMBER_TYPES.match(kind):
        return ColumnKind.NUMBER
    if DATE_TYPES.match(kind):
        return ColumnKind.DATE
    if kind == "VARCHAR" or kind.startswith("ENUM"):
        return ColumnKind.TEXT
    raise SourceError(
        f"the column {name} is of type {kind}, which no model reads; leave it out "
        f'(exclude = ["{name}"])'
    )


def _expression(name: str, kind: ColumnKind, *, boolean: bool) -> str:
    # A cast of a bare column would reach into the CSV reader and change how it reads the text.
    quoted = _name(name)
    if kind is ColumnKind.TEXT:
        return f"CAST({quoted} AS VARCHAR)"
    if kind is ColumnKind.DATE:
        return f"CAST(date_diff('day', DATE '1970-01-01', {quoted}) AS DOUBLE)"
    if boolean:
        return f"CASE WHEN {quoted} THEN 1.0::DOUBLE WHEN NOT {quoted} THEN 0.0::DOUBLE END"
    return f"CAST({quoted} AS DOUBLE)"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _unreadable(error: duckdb.Error) -> SourceError:
    """DuckDB's own message quotes the row it stumbled over: only the line's number is told."""
    line = re.search(r"Line: (\d+)", str(error))
    place = f" at line {line[1]}" if line else ""
    return SourceError(
        f"the file cannot be read{place}: is it a CSV file with a header line, or a .parquet file?"
    )
