"""Kinds of samples: where raw rows come from, and what scores them (requirements S4, S5)."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Protocol, Self

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from sqlglot import exp

from scoring.engines.engine import Engine, Prepared
from scoring.engines.opening import open_engine
from scoring.engines.settings import EngineSettings
from scoring.tables import ColumnType, Table

BATCH_FILE, LOOKUP_FILE = "scoring.duckdb", "scoring.sqlite"
DEFAULT_KIND = "customers"

DIALECTS = {"duckdb": "duckdb", "sqlite": "sqlite", "postgresql": "postgres", "hive": "hive"}

KindName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,30}$")]


class SampleKind(BaseModel):
    """One `[samples.NAME]` of party.toml.

    Raw rows are in a `table` of the batch engine, or come there from a `file` or from a `query` at
    a SQLAlchemy `url`. `extraction` is a SQL file beside party.toml; without one every raw column
    is a feature. `observed` is the raw column that says when a row was observed; dates count to
    `observed_on`, or else to that time. `columns` are those of raw samples that come as messages,
    where the table is not there yet, and `broker` is the party's own, on which they come.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: str | EngineSettings = f"duckdb:///{BATCH_FILE}"
    lookup: str | EngineSettings = f"sqlite:///{LOOKUP_FILE}"
    extraction: str | None = None
    table: str | None = None
    file: str | None = Field(default=None, min_length=1)
    url: str | None = None
    query: str | None = None
    id: str | None = None
    observed: str | None = None
    observed_on: dt.date | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    columns: Mapping[str, ColumnType] = {}
    broker: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> "SampleKind":
        if (self.url is None) != (self.query is None):
            raise ValueError("url and query belong together")
        if sum(place is not None for place in (self.table, self.file, self.url)) > 1:
            raise ValueError("raw rows are in a table, a file or a url with a query: name one")
        return self


class RawSource(Protocol):
    """Raw rows outside of the engines: a file, or another database."""

    def fingerprint(self) -> str | None:
        """What tells one content from another without reading it; None: nothing does."""

    def read(
        self, ids: Sequence[str] | None = None, kept: Mapping[str, ColumnType] | None = None
    ) -> tuple[Table, Iterator[pa.RecordBatch]]:
        """All rows or those of some ids, as rows of a table with the key sample_id.

        `kept` are the columns of the table that a few rows go to, where there is one.
        """


class Samples:
    """A kind of sample at work; a context manager. One thread at a time.

    The engines open when they are first used: `batch` holds all tables, `lookup` holds copies for
    single look-ups. `script` is the text of the extraction.
    """

    def __init__(
        self,
        name: str,
        kind: SampleKind,
        folder: Path,
        script: str | None = None,
        source: RawSource | None = None,
    ) -> None:
        self.name = name
        self.kind = kind
        self.script = script
        self.source = source
        self.raw = kind.table or f"raw_{name}"
        self.features = f"features_{name}"
        self._folder = folder
        self._batch: Engine | None = None
        self._lookup: Engine | None = None
        self._look_ups: dict[str, Prepared] = {}

    @property
    def batch(self) -> Engine:
        if self._batch is None:
            self._batch = open_engine(self.kind.engine, folder=self._folder)
        return self._batch

    @property
    def lookup(self) -> Engine:
        if self._lookup is None:
            self._lookup = open_engine(self.kind.lookup, folder=self._folder)
        return self._lookup

    def look_up(self, name: str, query: Callable[[], exp.Query]) -> Prepared:
        """A query of the look-up engine that is asked at each request, prepared once."""
        if name not in self._look_ups:
            self._look_ups[name] = self.lookup.prepare(query())
        return self._look_ups[name]

    @property
    def dialect(self) -> str:
        """Of the batch engine, in which scripts are written."""
        engine = self.kind.engine
        url = engine if isinstance(engine, str) else engine.url
        scheme = url.partition(":")[0].partition("+")[0]
        return DIALECTS.get(scheme) or self.batch.dialect

    def release(self) -> None:
        """Close the batch engine until it is needed again: other processes may wait for it."""
        if self._batch is not None:
            self._batch.close()
            self._batch = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        if self._lookup is not None:
            self._look_ups.clear()
            self._lookup.close()
            self._lookup = None
