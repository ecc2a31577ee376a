"""A party's views: projections kept up with the log, each row together with how far it goes."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from sqlalchemy import Column, Connection, Select, Table, Text, func, insert, select, update

from events.catalogue import CATALOGUE
from projections.identified import IDENTIFIED
from projections.jobs import JOBS
from projections.labels import FINAL_LABELS
from projections.loss_history import LOSS_HISTORY
from projections.model_table import MODEL_TABLE
from projections.projection import METADATA, WHOLE_NUMBER, Payloads, Placed, Projection
from projections.timeline import TIMELINE
from store import Entry
from store.database import lock_while_creating, open_engine, parse_url
from store.failures import database_failures

PROJECTIONS = (JOBS, FINAL_LABELS, IDENTIFIED, LOSS_HISTORY, MODEL_TABLE, TIMELINE)

ROWS_AT_A_TIME = 1_000

CHECKPOINTS = Table(
    "projection_checkpoints",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("version", WHOLE_NUMBER, nullable=False),
    Column("position", WHOLE_NUMBER, nullable=False),
)


class Entries(Protocol):
    """A log, as far as views read it."""

    def read(self, after: int, limit: int) -> list[Entry]: ...


class Views:
    """The projections' tables at a database address: the log's own, or another.

    They can be lost without loss: commits are not forced to the disk, and a projection whose
    version is new starts over. Several processes may catch up at once.
    """

    def __init__(
        self, url: str, payloads: Payloads, projections: Sequence[Projection] = PROJECTIONS
    ) -> None:
        self._url = parse_url(url)
        self._payloads = payloads
        self._projections = tuple(projections)
        self._engine = open_engine(url, "relaxed")
        with self._writing() as connection:
            lock_while_creating(connection)
            CHECKPOINTS.create(connection, checkfirst=True)
            known = {row.name: row.version for row in connection.execute(select(CHECKPOINTS))}
            for projection in self._projections:
                if known.get(projection.name) != projection.version:
                    _start_over(connection, projection)

    def catch_up(self, log: Entries, batch: int = 500) -> int:
        """Apply what the log has and the views have not; returns the position reached.

        A transaction takes `batch` entries and moves the checkpoints with the rows: killed at any
        point, it goes on from there. Raises UnknownEventError, ProjectionError, StoreError.
        """
        while True:
            with self._writing() as connection:
                reached = self._checkpoints(connection)
                start = min(reached.values(), default=0)
                entries = log.read(start, batch)
                if not entries:
                    return start
                facts = [Placed(one.position, CATALOGUE.read(one.envelope)) for one in entries]
                for projection in self._projections:
                    new = [one for one in facts if one.position > reached[projection.name]]
                    projection.apply(connection, new, self._payloads)
                self._move_checkpoints(connection, reached, entries[-1].position)

    def position(self) -> int:
        """How far every projection has got, without moving any."""
        names = [projection.name for projection in self._projections]
        query = select(func.min(CHECKPOINTS.c.position)).where(CHECKPOINTS.c.name.in_(names))
        with database_failures(self._url), self._engine.begin() as connection:
            return int(connection.scalar(query) or 0)

    def rebuild(self, log: Entries, batch: int = 500) -> int:
        """Drop every table and make it again from the log: the same rows (requirement D3)."""
        with self._writing() as connection:
            lock_while_creating(connection)
            for projection in self._projections:
                _start_over(connection, projection)
        return self.catch_up(log, batch)

    def select(self, query: Select[*tuple[Any, ...]]) -> list[dict[str, Any]]:
        """Rows of a query such as `timeline()`, `jobs()`, `losses(job)`, `model(job)`."""
        with database_failures(self._url), self._engine.begin() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def digest(self, projection: Projection) -> str:
        """SHA-256 over all rows, sorted: equal digests, equal tables, on any database."""
        with database_failures(self._url), self._engine.begin() as connection:
            return rows_digest(connection, projection)

    def digests(self) -> dict[str, str]:
        """The digest of every projection, by name."""
        return {projection.name: self.digest(projection) for projection in self._projections}

    def close(self) -> None:
        self._engine.dispose()

    def _checkpoints(self, connection: Connection) -> Mapping[str, int]:
        """Locked until the transaction ends: one process at a time applies a fact."""
        names = [projection.name for projection in self._projections]
        query = select(CHECKPOINTS).where(CHECKPOINTS.c.name.in_(names))
        rows = connection.execute(query.order_by(CHECKPOINTS.c.name).with_for_update())
        return {row.name: row.position for row in rows}

    def _move_checkpoints(
        self, connection: Connection, reached: Mapping[str, int], position: int
    ) -> None:
        behind = [name for name, at in reached.items() if at < position]
        move = update(CHECKPOINTS).where(CHECKPOINTS.c.name.in_(behind))
        connection.execute(move.values(position=position))

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with database_failures(self._url), self._engine.connect() as connection:
            connection.execution_options(writes=True)
            with connection.begin():
                yield connection


def rows_digest(connection: Connection, projection: Projection) -> str:
    """SHA-256 over the digests of all rows of a projection's tables, sorted."""
    digest = hashlib.sha256()
    for table in projection.tables:
        digest.update(f"{table.name}\n".encode())
        query = select(table).execution_options(yield_per=ROWS_AT_A_TIME)
        names = table.columns.keys()
        rows = (dict(zip(names, row, strict=True)) for row in connection.execute(query))
        lines = (json.dumps(row, sort_keys=True).encode() for row in rows)
        digest.update(b"".join(sorted(hashlib.sha256(line).digest() for line in lines)))
    return digest.hexdigest()


def _start_over(connection: Connection, projection: Projection) -> None:
    METADATA.drop_all(connection, tables=projection.tables)
    METADATA.create_all(connection, tables=projection.tables)
    row = {"name": projection.name, "version": projection.version, "position": 0}
    same = CHECKPOINTS.c.name == projection.name
    if connection.execute(update(CHECKPOINTS).where(same).values(row)).rowcount == 0:
        connection.execute(insert(CHECKPOINTS).values(row))
