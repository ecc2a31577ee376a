"""Reading a CSV or Parquet file, also compressed, by DuckDB (requirement P1)."""

import datetime as dt
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sqlglot import exp

from party.errors import SourceError
from party.raw import Choice, Choose, ColumnKind, RawColumn, RawTable
from scoring.errors import ExtractionError
from scoring.features import column_name, feature_query
from scoring.raw_columns import RawKind
from scoring.raw_rows import CONFIGURATION, FileColumns, RawRows, examine_file, kinds_of_texts
from scoring.tables import ColumnType

KINDS = {
    ColumnKind.NUMBER: RawKind.NUMBER,
    ColumnKind.DATE: RawKind.TIME,
    ColumnKind.TEXT: RawKind.TEXT,
}


def read_file(path: Path, choose: Choose, observed_on: dt.date | None) -> RawTable:
    """Read the chosen columns. Raises SourceError for a file that is absent, empty or broken."""
    check_file(path)
    with duckdb.connect(config=CONFIGURATION) as connection:
        try:
            return _read(connection, path, choose, observed_on, thorough=False)
        except duckdb.ConversionException:
            # A value far down does not fit the type of the first rows: look at all rows.
            return _read_again(connection, path, choose, observed_on)
        except duckdb.Error as error:
            raise unreadable(error) from None


def check_file(path: Path) -> None:
    if not path.is_file():
        raise SourceError("there is no such file")
    if path.stat().st_size == 0:
        raise SourceError("the file is empty")


def _read_again(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    choose: Choose,
    observed_on: dt.date | None,
) -> RawTable:
    try:
        return _read(connection, path, choose, observed_on, thorough=True)
    except duckdb.Error as error:
        raise unreadable(error) from None


def _read(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    choose: Choose,
    observed_on: dt.date | None,
    *,
    thorough: bool,
) -> RawTable:
    choices: list[Choice] = []

    def choose_columns(names: Sequence[str]) -> FileColumns:
        choices.append(choose(names))
        return FileColumns(choices[-1].id, choices[-1].measured)

    try:
        rows = examine_file(connection, path, choose_columns, thorough=thorough)
    except ExtractionError as error:
        raise SourceError(str(error)) from None
    return read_rows(connection, rows, choices[-1], observed_on)


def read_rows(
    connection: duckdb.DuckDBPyConnection,
    rows: RawRows,
    choice: Choice,
    observed_on: dt.date | None,
) -> RawTable:
    """Raw rows as features, through the very query that scoring reads them by (P4)."""
    if observed_on is None:
        _refuse_dates(rows)
    query = feature_query(rows.query(), rows.columns, "duckdb", observed_on)
    found = connection.execute(query.sql("duckdb")).fetchnumpy()
    ids = _texts(found.pop("sample_id"))
    columns = {}
    for name, kind in rows.kinds.items():
        # Taken out one by one, so that a wide table is never whole in memory twice.
        array = found.pop(column_name(name))
        if kind.type is ColumnType.TEXT:
            columns[name] = RawColumn(ColumnKind.TEXT, _texts(array))
        else:
            was = ColumnKind.DATE if kind.type is ColumnType.TIME else ColumnKind.NUMBER
            columns[name] = RawColumn(was, np.ma.filled(array, np.nan))
    return RawTable(choice, ids.tolist(), columns)


def as_features(raw: RawTable, observed_on: dt.date | None) -> RawTable:
    """Rows read elsewhere as features, through the same query as those of a file."""
    with duckdb.connect(config=CONFIGURATION) as connection:
        return read_rows(connection, examine_rows(connection, raw), raw.choice, observed_on)


def examine_rows(
    connection: duckdb.DuckDBPyConnection, raw: RawTable, observed: str | None = None
) -> RawRows:
    """Rows read elsewhere, registered with a connection, and what was found in them."""
    fields = {name: column_name(name) for name in (raw.choice.id, *raw.columns)}
    arrays = {fields[raw.choice.id]: pa.array(raw.ids, pa.string())}
    arrays |= {fields[name]: _arrow(column) for name, column in raw.columns.items()}
    connection.register("rows", pa.table(arrays))
    scan = exp.table_("rows")
    kinds = {name: KINDS[column.kind] for name, column in raw.columns.items()}
    texts = {name: fields[name] for name, kind in kinds.items() if kind is RawKind.TEXT}
    kinds |= kinds_of_texts(connection, scan, texts, numbers=False)
    return RawRows(scan, FileColumns(raw.choice.id, tuple(kinds), observed), kinds, fields)


def _arrow(column: RawColumn) -> pa.Array:
    if column.kind is ColumnKind.TEXT:
        return pa.array(column.values, pa.string())
    numbers = pa.array(column.values, pa.float64(), from_pandas=True)
    if column.kind is ColumnKind.NUMBER:
        return numbers
    return numbers.cast(pa.int32()).cast(pa.date32())


def _refuse_dates(rows: RawRows) -> None:
    for name, kind in rows.kinds.items():
        if kind.type is ColumnType.TIME:
            raise SourceError(
                f"the column {name} holds dates: give the day to count them to "
                "(observed_on, or --observed-on YYYY-MM-DD)"
            )


def _texts(array: npt.NDArray[Any]) -> npt.NDArray[np.object_]:
    texts: npt.NDArray[np.object_] = np.ma.getdata(array).astype(object)
    texts[np.ma.getmaskarray(array)] = None
    return texts


def unreadable(error: duckdb.Error) -> SourceError:
    """DuckDB's own message quotes the row it stumbled over: only the line's number is told."""
    line = re.search(r"Line: (\d+)", str(error))
    place = f" at line {line[1]}" if line else ""
    return SourceError(
        f"the file cannot be read{place}: is it a CSV file with a header line, or a .parquet file?"
    )
