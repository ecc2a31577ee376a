"""Reading a CSV or Parquet file, also compressed, by DuckDB (requirement P1)."""

import datetime as dt
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
from sqlglot import exp

from party.column_spool import CELLS_AT_A_TIME, ColumnSpool
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

COLUMNS_A_THREAD = 1_000


def read_file(
    path: Path, choose: Choose, observed_on: dt.date | None, folder: Path | None = None
) -> RawTable:
    """Read the chosen columns, by way of a file in `folder`.

    Raises SourceError for a file that is absent, empty or broken.
    """
    check_file(path)
    with _connected() as connection:
        try:
            return _read(connection, path, choose, observed_on, folder, thorough=False)
        except duckdb.ConversionException:
            # A value far down does not fit the type of the first rows: look at all rows.
            return _read_again(connection, path, choose, observed_on, folder)
        except duckdb.Error as error:
            raise unreadable(error) from None


@contextmanager
def _connected() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config=CONFIGURATION) as connection:
        connection.execute("SET enable_progress_bar = false")  # it would go to our own output
        yield connection


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
    folder: Path | None,
) -> RawTable:
    try:
        return _read(connection, path, choose, observed_on, folder, thorough=True)
    except duckdb.Error as error:
        raise unreadable(error) from None


def _read(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    choose: Choose,
    observed_on: dt.date | None,
    folder: Path | None,
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
    read = read_columns if ".parquet" in path.suffixes else read_rows
    return read(connection, rows, choices[-1], observed_on, folder)


def read_rows(
    connection: duckdb.DuckDBPyConnection,
    rows: RawRows,
    choice: Choice,
    observed_on: dt.date | None,
    folder: Path | None,
) -> RawTable:
    """Raw rows as features, through the very query that scoring reads them by (P4).

    A few rows of all columns at a time: what is read row by row is read once.
    """
    if observed_on is None:
        _refuse_dates(rows)
    spool = ColumnSpool(list(rows.kinds), folder)
    ids: list[str | None] = []
    connection.execute(f"SET threads = {_threads(len(rows.kinds))}")
    for batch in _stream(connection, rows, observed_on):
        ids += batch.column("sample_id").to_pylist()
        _keep(spool, rows, batch)
    return RawTable(choice, ids, spool)


def read_columns(
    connection: duckdb.DuckDBPyConnection,
    rows: RawRows,
    choice: Choice,
    observed_on: dt.date | None,
    folder: Path | None,
) -> RawTable:
    """The same, all rows of a few columns at a time: for what is stored by column."""
    if observed_on is None:
        _refuse_dates(rows)
    spool = ColumnSpool(list(rows.kinds), folder)
    no_columns = replace(rows, kinds={})
    ids = [
        one
        for batch in _stream(connection, no_columns, observed_on)
        for one in batch.column("sample_id").to_pylist()
    ]
    names, step = list(rows.kinds), max(1, CELLS_AT_A_TIME // max(1, len(ids)))
    for start in range(0, len(names), step):
        some = replace(rows, kinds={name: rows.kinds[name] for name in names[start : start + step]})
        for batch in _stream(connection, some, observed_on):
            _keep(spool, some, batch)
    return RawTable(choice, ids, spool)


def as_features(raw: RawTable, observed_on: dt.date | None, folder: Path | None = None) -> RawTable:
    """Rows read elsewhere as features, through the same query as those of a file."""
    names, step = list(raw.columns), max(1, CELLS_AT_A_TIME // max(1, len(raw.ids)))
    spool = ColumnSpool(names, folder)
    with _connected() as connection:
        for start in range(0, len(names), step):
            some = {name: raw.columns[name] for name in names[start : start + step]}
            rows = examine_rows(connection, RawTable(raw.choice, raw.ids, some))
            if observed_on is None:
                _refuse_dates(rows)
            for batch in _stream(connection, rows, observed_on):
                _keep(spool, rows, batch)
    return RawTable(raw.choice, raw.ids, spool)


def _stream(
    connection: duckdb.DuckDBPyConnection, rows: RawRows, observed_on: dt.date | None
) -> Iterator[pa.RecordBatch]:
    query = feature_query(rows.query(), rows.columns, "duckdb", observed_on)
    at_a_time = max(1, CELLS_AT_A_TIME // (len(rows.kinds) + 1))
    yield from connection.sql(query.sql("duckdb")).to_arrow_reader(at_a_time)


def _keep(spool: ColumnSpool, rows: RawRows, batch: pa.RecordBatch) -> None:
    for name, kind in rows.kinds.items():
        array = batch.column(column_name(name))
        if kind.type is ColumnType.TEXT:
            spool.append_texts(name, array)
        else:
            was = ColumnKind.DATE if kind.type is ColumnType.TIME else ColumnKind.NUMBER
            spool.append(name, was, array.to_numpy(zero_copy_only=False))


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


def _threads(columns: int) -> int:
    """Every thread holds some rows of its own: the wider they are, the fewer threads."""
    return max(1, min(os.cpu_count() or 1, COLUMNS_A_THREAD // columns))


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


def unreadable(error: duckdb.Error) -> SourceError:
    """DuckDB's own message quotes the row it stumbled over: only the line's number is told."""
    line = re.search(r"Line: (\d+)", str(error))
    place = f" at line {line[1]}" if line else ""
    return SourceError(
        f"the file cannot be read{place}: is it a CSV file with a header line, or a .parquet file?"
    )
