"""Handles to ids: an index a serving key in the party's look-up engine (requirements A2, S1, S4).

A request names customers by keyed hashes. To hash all own customers anew for each request would
take seconds, so their handles are kept, and customers that came since are added. A handle is kept
as two whole numbers.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlglot import exp

from handlers.alignment import handles_of
from party.turns import takes_long
from scoring.engines.engine import Engine, Prepared
from scoring.features import SAMPLE_ID, column
from scoring.tables import Column, ColumnType, Table

T = TypeVar("T")
FIRST, SECOND = "first_half", "second_half"  # of a handle, 8 bytes each
HALVES = (FIRST, SECOND)
HALF_COLUMNS = tuple(Column(one, ColumnType.INTEGER) for one in HALVES)
PLACE = "place"  # of a handle that is asked for, among all of them sorted
BEFORE = "serving_handles"  # one table of hexadecimal handles for all keys
AT_ONCE, MANY, JOINED_AT_ONCE = 2_000, 20_000, 250_000
IDS_A_BATCH = 50_000
CALM_SECONDS = 60.0
CALM_SHARE = 20  # hashing everybody takes at most a twentieth of the time


class HandleIndex:
    """Finds own customers by the handles of requests. For one thread."""

    def __init__(
        self,
        engine: Engine,
        own_ids: Callable[[], Iterable[str]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine, self._own_ids, self._clock = engine, own_ids, clock
        self._not_before: dict[str, float] = {}
        self._single: dict[str, Prepared] = {}

    def find(self, key: bytes, handles: Sequence[bytes]) -> Iterator[str | None]:
        """The ids in the order of the handles, None where there is no such customer.

        A handle that is not found may be that of a new customer: then all are looked at again, but
        not at every request.
        """
        table = handle_table(key)
        for some in _pieces(handles, AT_ONCE if len(handles) <= MANY else JOINED_AT_ONCE):
            found = self._look_up(table, some)
            if None in found and self._clock() >= self._not_before.get(table.name, 0.0):
                self._extend(key, table)
                found = self._look_up(table, some)
            yield from found

    def _extend(self, key: bytes, table: Table) -> None:
        """Add who is new, all of them or none."""
        takes_long()
        began = self._clock()
        batches = _hashed(key, self._own_ids())
        first = list(islice(batches, 1))  # before the engine waits: it may be that of the ids too
        self._engine.drop(BEFORE)
        self._engine.ensure(table)
        self._engine.add_missing(table, chain(first, batches))
        now = self._clock()
        self._not_before[table.name] = now + max(CALM_SECONDS, CALM_SHARE * (now - began))

    def _look_up(self, table: Table, handles: Sequence[bytes]) -> Sequence[str | None]:
        if self._engine.columns(table.name) is None:
            return [None] * len(handles)
        halves = _halves(handles)
        if len(handles) == 1:
            [wanted] = halves.tolist()
            rows = self._prepared(table)(dict(zip(HALVES, wanted, strict=True)))
            return [str(rows[0][0]) if rows else None]
        if len(handles) > AT_ONCE:
            return self._joined(table, halves)
        firsts = (exp.Literal.number(one) for one in halves[:, 0].tolist())
        query = exp.select(*map(column, (*HALVES, SAMPLE_ID))).from_(_place(table))
        rows = self._engine.rows(query.where(column(FIRST).isin(*firsts)))
        known = {(first, second): str(sample) for first, second, sample in rows}
        return [known.get((first, second)) for first, second in halves.tolist()]

    def _joined(self, table: Table, halves: NDArray[np.int64]) -> Sequence[str | None]:
        """The same for many, which go into the engine and are joined there, in their order."""
        columns = (*HALF_COLUMNS, Column(PLACE, ColumnType.INTEGER))
        asked = Table(f"asked_handles_{secrets.token_hex(6)}", columns, (PLACE,))
        order = np.lexsort((halves[:, 1], halves[:, 0]))
        rows = pa.record_batch([*halves[order].T, np.arange(len(order))], names=[*HALVES, PLACE])
        query = (
            exp.select(column(PLACE, "asked"), column(SAMPLE_ID, "own"))
            .from_(_place(asked).as_("asked"))
            .join(_place(table).as_("own"), on=_same("asked", "own"))
        )
        found: list[str | None] = [None] * len(halves)
        self._engine.ensure(asked)
        try:
            self._engine.append(asked, [rows])
            for batch in self._engine.stream(query):
                places = order[batch.column(PLACE).to_numpy()].tolist()
                for place, sample in zip(places, batch.column(SAMPLE_ID).to_pylist(), strict=True):
                    found[place] = sample
        finally:
            self._engine.drop(asked.name)
        return found

    def _prepared(self, table: Table) -> Prepared:
        if table.name not in self._single:
            same = [column(one).eq(exp.Placeholder(this=one)) for one in HALVES]
            query = exp.select(column(SAMPLE_ID)).from_(_place(table)).where(*same)
            self._single[table.name] = self._engine.prepare(query)
        return self._single[table.name]


def handle_table(key: bytes) -> Table:
    """Where the handles under a key are."""
    name = f"handles_{hashlib.sha256(key).hexdigest()[:32]}"
    return Table(name, (*HALF_COLUMNS, Column(SAMPLE_ID, ColumnType.TEXT)), HALVES)


def _hashed(key: bytes, ids: Iterable[str]) -> Iterator[pa.RecordBatch]:
    for some in _pieces(ids, IDS_A_BATCH):
        halves = _halves(handles_of(key, some))
        yield pa.record_batch([*halves.T, pa.array(some)], names=[*HALVES, SAMPLE_ID])


def _halves(handles: Sequence[bytes]) -> NDArray[np.int64]:
    """int64[handles, 2]: big-endian, with a sign, for engines know no other whole numbers."""
    return np.frombuffer(b"".join(handles), ">i8").astype(np.int64).reshape(len(handles), 2)


def _same(one: str, other: str) -> exp.Condition:
    return exp.and_(*(column(half, one).eq(column(half, other)) for half in HALVES))


def _place(table: Table) -> exp.Table:
    return exp.table_(table.name, quoted=True)


def _pieces(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while piece := list(islice(iterator, size)):
        yield piece
