"""Kinds of samples: where raw rows come from, and what scores them (requirements S4, S5)."""

import datetime as dt
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from scoring.tables import ColumnType

BATCH_FILE, LOOKUP_FILE = "scoring.duckdb", "scoring.sqlite"
DEFAULT_KIND = "customers"

KindName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,30}$")]


class SampleKind(BaseModel):
    """One `[samples.NAME]` of party.toml.

    Raw rows are in a `table` of the batch engine, or come there from a `file` or from a `query` at
    a SQLAlchemy `url`. `extraction` is a SQL file beside party.toml; without one every raw column
    is a feature. `observed` is the raw column that says when a row was observed; dates count to
    `observed_on`, or else to that time. `columns` are those of raw samples that come as messages,
    where the table is not there yet.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: str = f"duckdb:///{BATCH_FILE}"
    lookup: str = f"sqlite:///{LOOKUP_FILE}"
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

    @model_validator(mode="after")
    def _one_place(self) -> "SampleKind":
        if (self.url is None) != (self.query is None):
            raise ValueError("url and query belong together")
        if sum(place is not None for place in (self.table, self.file, self.url)) > 1:
            raise ValueError("raw rows are in a table, a file or a url with a query: name one")
        return self
