"""Raw rows outside of the engines, as scoring takes them in (requirements S4, S5)."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from party.choosing import SourceSettings, chooser
from party.errors import SourceError
from party.raw import Choice, RawTable
from party.source_files import check_file, examine_rows, unreadable
from party.source_queries import read_query
from scoring.engines.arrow import rows_at_once
from scoring.errors import ExtractionError
from scoring.extraction import restricted
from scoring.features import SAMPLE_ID, column
from scoring.raw_columns import RawKind
from scoring.raw_rows import CONFIGURATION, FileColumns, RawRows, examine_file
from scoring.samples import DIALECTS, RawSource
from scoring.tables import Column, ColumnType, Table

BATCH_ROWS = 65_536
KEPT_TEXT = {ColumnType.TEXT: RawKind.TEXT, ColumnType.TIME: RawKind.DATE_TEXT}


def raw_source(
    settings: SourceSettings, observed: str | None, folder: Path, *, label_is_feature: bool
) -> RawSource:
    """A file, which starts at `folder` if it is relative, or a query."""
    columns = _Columns(settings, observed, label_is_feature)
    if settings.file is not None:
        return FileSource(folder / settings.file, columns)
    return QuerySource(str(settings.url), str(settings.query), columns)


class _Columns:
    """Which columns raw rows have: the features, the id and the time of observation; no label."""

    def __init__(
        self, settings: SourceSettings, observed: str | None, label_is_feature: bool
    ) -> None:
        self._settings = settings
        self._labelled = False if label_is_feature else None
        self.observed = observed

    def choice(self, names: Sequence[str]) -> Choice:
        changes: dict[str, object] = {"rules": {}}
        if self._settings.label not in names:
            changes["label"] = None  # what is to be scored has none yet
        if self.observed is not None:
            changes["exclude"] = (*self._settings.exclude, self.observed)
        chosen = chooser(self._settings.model_copy(update=changes), self._labelled)(names)
        features = chosen.features if self.observed is None else (*chosen.features, self.observed)
        return Choice(chosen.id, None, features)

    def of_file(self, names: Sequence[str]) -> FileColumns:
        chosen = self.choice(names)
        features = tuple(name for name in chosen.features if name != self.observed)
        return FileColumns(chosen.id, features, self.observed)


class FileSource:
    """A CSV or Parquet file, read by DuckDB as training reads it."""

    def __init__(self, path: Path, columns: _Columns) -> None:
        self._path = path
        self._columns = columns
        self._examined: tuple[str, RawRows] | None = None

    def fingerprint(self) -> str:
        check_file(self._path)
        found = self._path.stat()
        return f"{found.st_mtime_ns}-{found.st_size}"

    def read(
        self, ids: Sequence[str] | None = None, _kept: Mapping[str, ColumnType] | None = None
    ) -> tuple[Table, Iterator[pa.RecordBatch]]:
        """Raises SourceError."""
        rows = self._rows()
        return _table(rows), _batches(None, rows, ids)

    def _rows(self) -> RawRows:
        fingerprint = self.fingerprint()
        if self._examined is None or self._examined[0] != fingerprint:
            self._examined = (fingerprint, self._examine())
        return self._examined[1]

    def _examine(self) -> RawRows:
        with duckdb.connect(config=CONFIGURATION) as connection:
            try:
                rows = examine_file(connection, self._path, self._columns.of_file)
                if ".parquet" not in self._path.suffixes:
                    for _ in _batches(connection, rows, None):
                        pass  # a value far down may not fit the type of the first rows
            except duckdb.ConversionException:
                pass
            except duckdb.Error as error:
                raise unreadable(error) from None
            except ExtractionError as error:
                raise SourceError(str(error)) from None
            else:
                return rows
            try:
                return examine_file(connection, self._path, self._columns.of_file, thorough=True)
            except duckdb.Error as error:
                raise unreadable(error) from None


class QuerySource:
    """A query at a SQLAlchemy address."""

    def __init__(self, url: str, query: str, columns: _Columns) -> None:
        self._url = url
        self._query = query
        self._columns = columns
        self._identifier: str | None = None

    def fingerprint(self) -> None:
        return None

    def read(
        self,
        ids: Sequence[str] | None = None,
        kept: Mapping[str, ColumnType] | None = None,
    ) -> tuple[Table, Iterator[pa.RecordBatch]]:
        """Raises SourceError. `kept` are the types of the table that the rows go to."""
        raw = self._read(None if kept is None else ids)
        self._identifier = raw.choice.id
        connection = duckdb.connect(config=CONFIGURATION)
        rows = examine_rows(connection, raw, self._columns.observed)
        if kept is not None and ids is not None:
            rows = _as_kept(rows, kept)
        return _table(rows), _batches(connection, rows, ids)

    def _read(self, ids: Sequence[str] | None) -> RawTable:
        if ids is not None:
            try:
                return read_query(self._url, self._of(ids), self._columns.choice)
            except SourceError:
                pass  # ids that are no numbers, of a column of numbers
        return read_query(self._url, self._query, self._columns.choice)

    def _of(self, ids: Sequence[str]) -> str:
        """The query for these ids only; as it is where its SQL is not understood."""
        scheme = self._url.partition(":")[0].partition("+")[0]
        dialect = DIALECTS.get(scheme, scheme)
        try:
            query = sqlglot.parse_one(self._query, dialect=dialect)
        except (SqlglotError, ValueError):
            return self._query
        if self._identifier is None or not isinstance(query, exp.Query):
            return self._query
        condition = _is_among(column(self._identifier), ids)
        return restricted(query, self._identifier, condition).sql(dialect)


def _table(rows: RawRows) -> Table:
    columns = tuple(Column(name, kind) for name, kind in rows.columns.items())
    return Table("raw", columns, (SAMPLE_ID,))


def _batches(
    connection: duckdb.DuckDBPyConnection | None, rows: RawRows, ids: Sequence[str] | None
) -> Iterator[pa.RecordBatch]:
    """Raises SourceError; without a connection, DuckDB's errors become one."""
    query: exp.Query = rows.query()
    at_once = rows_at_once(BATCH_ROWS, len(rows.columns))
    if ids is not None:
        query = exp.select("*").from_(query.subquery("rows_of"))
        query = query.where(_is_among(column(SAMPLE_ID), ids))
    if connection is not None:
        yield from connection.sql(query.sql("duckdb")).to_arrow_reader(at_once)
        return
    with duckdb.connect(config=CONFIGURATION) as own:
        try:
            yield from own.sql(query.sql("duckdb")).to_arrow_reader(at_once)
        except duckdb.Error as error:
            raise unreadable(error) from None


def _is_among(of: exp.Column, ids: Sequence[str]) -> exp.In:
    return exp.In(this=of, expressions=[exp.Literal.string(one) for one in ids])


def _as_kept(rows: RawRows, kept: Mapping[str, ColumnType]) -> RawRows:
    """A few rows do not tell dates from other texts: the table that they go to does."""
    kinds = dict(rows.kinds)
    for name, (field, kind) in zip(list(rows.columns)[1:], rows.kinds.items(), strict=True):
        if kind in (RawKind.TEXT, RawKind.DATE_TEXT, RawKind.NUMBER_TEXT):
            kinds[field] = KEPT_TEXT.get(kept.get(name, kind.type), RawKind.NUMBER_TEXT)
    return RawRows(rows.scan, rows.chosen, kinds, rows.fields)
