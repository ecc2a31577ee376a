"""Raw rows that DuckDB reads: a CSV or Parquet file, also compressed, or a table (P1)."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
from sqlglot import exp

from scoring.errors import ExtractionError
from scoring.features import OBSERVED_AT, SAMPLE_ID, column, column_name
from scoring.raw_columns import (
    DATE_TEXT,
    NUMBER_TEXT,
    RawKind,
    kind_of_texts,
    raw_expression,
)
from scoring.tables import ColumnType

KINDS = {
    RawKind.NUMBER: re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL.*"),
    RawKind.BOOLEAN: re.compile(r"BOOLEAN"),
    RawKind.ZONED_TIME: re.compile(r"TIMESTAMP WITH TIME ZONE"),
    RawKind.TIME: re.compile(r"DATE|TIMESTAMP(_S|_MS|_NS)?"),
    RawKind.TEXT: re.compile(r"VARCHAR|ENUM.*"),
}
WHOLE = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?")
FIRST_ROWS, COUNTED_AT_ONCE = 1000, 100
CONFIGURATION: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


@dataclass(frozen=True)
class FileColumns:
    """Which columns of a file are wanted, by its own names; `observed`: when a row was."""

    id: str
    measured: tuple[str, ...]
    observed: str | None = None


Choose = Callable[[Sequence[str]], FileColumns]


@dataclass(frozen=True)
class RawRows:
    """Rows that a DuckDB connection can read, and what was found in them.

    `kinds` are those of the wanted columns by name, the id's and the observation time's not among
    them; `fields` are their names in `scan`.
    """

    scan: exp.Expression
    chosen: FileColumns
    kinds: Mapping[str, RawKind]
    fields: Mapping[str, str]

    @property
    def columns(self) -> dict[str, ColumnType]:
        """The columns of `query`."""
        kept = {self._kept(name): kind.type for name, kind in self.kinds.items()}
        return {SAMPLE_ID: ColumnType.TEXT, **kept}

    def query(self) -> exp.Select:
        """sample_id, and the wanted columns as text, numbers and times."""
        identifier = exp.cast(column(self.fields[self.chosen.id]), "TEXT")
        wanted = [
            raw_expression(column(self.fields[name]), kind, "duckdb").as_(
                self._kept(name), quoted=True
            )
            for name, kind in self.kinds.items()
        ]
        own = identifier.as_(SAMPLE_ID, quoted=True)
        return exp.select(own, *wanted, copy=False).from_(self.scan.copy())

    def _kept(self, name: str) -> str:
        return OBSERVED_AT if name == self.chosen.observed else column_name(name)


def examine_file(
    connection: duckdb.DuckDBPyConnection, path: Path, choose: Choose, *, thorough: bool = False
) -> RawRows:
    """Find out what the chosen columns hold; `thorough` looks at every row of a CSV file first.

    Raises ExtractionError for columns that no model reads, and DuckDB's own errors.
    """
    parquet = ".parquet" in path.suffixes
    scan = _scan(path, parquet=parquet, thorough=thorough)
    described = connection.execute(f"DESCRIBE {exp.select('*').from_(scan).sql('duckdb')}")
    types = {str(name): str(kind) for name, kind, *_ in described.fetchall()}
    chosen = choose(list(types))
    if not parquet:
        # Read as text from the start: a number would lose its leading zeros.
        scan = _scan(path, parquet=False, thorough=thorough, text=chosen.id)
    elif not (types[chosen.id] == "VARCHAR" or WHOLE.fullmatch(types[chosen.id])):
        raise ExtractionError(
            f"the id column {chosen.id} is of type {types[chosen.id]}; "
            "store ids as text or whole numbers"
        )
    wanted = list(chosen.measured) + ([chosen.observed] if chosen.observed else [])
    kinds = {name: _kind(name, types[name]) for name in wanted}
    texts = {name: name for name, kind in kinds.items() if kind is RawKind.TEXT}
    kinds |= kinds_of_texts(connection, scan, texts, numbers=not parquet)
    return RawRows(scan, chosen, kinds, {name: name for name in (chosen.id, *wanted)})


def _scan(path: Path, *, parquet: bool, thorough: bool, text: str | None = None) -> exp.Expression:
    place = exp.Literal.string(str(path))
    if parquet:
        return exp.Table(this=exp.Anonymous(this="read_parquet", expressions=[place]))
    options: dict[str, exp.Expression] = {"header": exp.true()}
    if thorough:
        options["sample_size"] = exp.Neg(this=exp.Literal.number(1))
    if text is not None:
        # One map of every column's type would also pin those that DuckDB finds by itself.
        of_id = exp.PropertyEQ(
            this=exp.to_identifier(text, quoted=True), expression=exp.Literal.string("VARCHAR")
        )
        options["types"] = exp.Struct(expressions=[of_id])
    named = [exp.EQ(this=exp.Var(this=name), expression=value) for name, value in options.items()]
    return exp.Table(this=exp.Anonymous(this="read_csv", expressions=[place, *named]))


def _kind(name: str, kind: str) -> RawKind:
    for found, types in KINDS.items():
        if types.fullmatch(kind):
            return found
    raise ExtractionError(
        f"the column {name} is of type {kind}, which no model reads; leave it out "
        f'(exclude = ["{name}"])'
    )


def kinds_of_texts(
    connection: duckdb.DuckDBPyConnection,
    scan: exp.Expression,
    fields: Mapping[str, str],
    *,
    numbers: bool,
) -> dict[str, RawKind]:
    """What texts hold, as `kind_of_texts` tells it of all rows; `fields` are columns by name.

    DuckDB takes a CSV column of numbers for text where one of them is written "inf".
    """
    if not fields:
        return {}
    kinds = dict.fromkeys(fields, RawKind.TEXT)
    wanted = [
        exp.cast(column(field), "TEXT").as_(f"c{at}") for at, field in enumerate(fields.values())
    ]
    first = exp.select(*wanted, copy=False).from_(scan.copy()).limit(FIRST_ROWS)
    found = connection.sql(first.sql("duckdb")).to_arrow_table()
    # Most columns are text by their first rows; only the others are looked at as a whole.
    doubtful = [
        name
        for name, texts in zip(fields, found.columns, strict=True)
        if kind_of_texts(texts.unique().to_pylist(), numbers=numbers) is not RawKind.TEXT
    ]
    for start in range(0, len(doubtful), COUNTED_AT_ONCE):
        names = doubtful[start : start + COUNTED_AT_ONCE]
        counts = [count for name in names for count in _counts(column(fields[name]))]
        query = exp.select(*counts, copy=False).from_(scan.copy())
        [counted] = connection.execute(query.sql("duckdb")).fetchall()
        for name, given, dates, written_numbers in zip(
            names, counted[::3], counted[1::3], counted[2::3], strict=True
        ):
            if given and dates == given:
                kinds[name] = RawKind.DATE_TEXT
            elif given == 0 or (numbers and written_numbers == given):
                kinds[name] = RawKind.NUMBER_TEXT
    return kinds


def _counts(of: exp.Column) -> list[exp.Expression]:
    """How many texts there are, how many are days, and how many numbers."""
    text = exp.Nullif(this=of, expression=exp.Literal.string(""))
    day = exp.TryCast(this=text.copy(), to=exp.DataType.build("DATE"))
    one = exp.Literal.number(1)
    return [
        exp.Count(this=text),
        exp.Count(this=exp.Case().when(_matches(text, DATE_TEXT), day, copy=False)),
        exp.Count(this=exp.Case().when(_matches(text, NUMBER_TEXT), one, copy=False)),
    ]


def _matches(text: exp.Expression, pattern: str) -> exp.Expression:
    return exp.Anonymous(
        this="regexp_full_match", expressions=[text.copy(), exp.Literal.string(pattern)]
    )
