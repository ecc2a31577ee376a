"""Handles to ids: an index a serving key in the party's look-up engine (requirements A2, S1).

A request names customers by keyed hashes. To hash all own customers anew for each request would
take seconds, so their handles are kept, and customers that came since are added.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import pyarrow as pa
from sqlglot import exp

from handlers.alignment import handles_of
from scoring.engines.engine import Engine, Prepared
from scoring.tables import Column, ColumnType, Table

T = TypeVar("T")
KEY, HANDLE, SAMPLE = "key_id", "handle", "sample_id"
HANDLES = Table(
    "serving_handles",
    tuple(Column(name, ColumnType.TEXT) for name in (KEY, HANDLE, SAMPLE)),
    key=(KEY, HANDLE),
)
PLACE, ASKED = "place", "asked_handle"
AT_ONCE, MANY, JOINED_AT_ONCE = 2_000, 20_000, 100_000
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
        self._one: Prepared | None = None

    def find(self, key: bytes, handles: Sequence[bytes]) -> Iterator[str | None]:
        """The ids in the order of the handles, None where there is no such customer.

        A handle that is not found may be that of a new customer: then all are looked at again, but
        not at every request.
        """
        key_id = hashlib.sha256(key).hexdigest()[:32]
        for some in _pieces(handles, AT_ONCE if len(handles) <= MANY else JOINED_AT_ONCE):
            found = self._look_up(key_id, some)
            if None in found and self._clock() >= self._not_before.get(key_id, 0.0):
                self._extend(key, key_id)
                found = self._look_up(key_id, some)
            yield from found

    def _extend(self, key: bytes, key_id: str) -> None:
        began = self._clock()
        ids = self._own_ids()
        self._engine.ensure(HANDLES)
        self._engine.merge(HANDLES, self._batches(key, key_id, ids))
        now = self._clock()
        self._not_before[key_id] = now + max(CALM_SECONDS, CALM_SHARE * (now - began))

    def _batches(self, key: bytes, key_id: str, ids: Iterable[str]) -> Iterator[pa.RecordBatch]:
        for some in _pieces(ids, IDS_A_BATCH):
            handles = [handle.hex() for handle in handles_of(key, some)]
            columns = [pa.array([key_id] * len(some)), pa.array(handles), pa.array(some)]
            yield pa.record_batch(columns, names=[KEY, HANDLE, SAMPLE])

    def _look_up(self, key_id: str, handles: Sequence[bytes]) -> list[str | None]:
        if self._engine.columns(HANDLES.name) is None:
            return [None] * len(handles)
        if len(handles) == 1:
            rows = self._single()({KEY: key_id, HANDLE: handles[0].hex()})
            return [str(rows[0][0]) if rows else None]
        if len(handles) > AT_ONCE:
            return self._joined(key_id, handles)
        wanted = [exp.Literal.string(handle.hex()) for handle in handles]
        query = _query(_column(HANDLE), _column(SAMPLE)).where(_column(HANDLE).isin(*wanted))
        known = {
            str(handle): str(sample) for handle, sample in self._engine.rows(query, {KEY: key_id})
        }
        return [known.get(handle.hex()) for handle in handles]

    def _joined(self, key_id: str, handles: Sequence[bytes]) -> list[str | None]:
        """The same for many, which go into the engine and are joined there."""
        asked = Table(
            f"asked_handles_{secrets.token_hex(6)}",
            (Column(PLACE, ColumnType.INTEGER), Column(ASKED, ColumnType.TEXT)),
            key=(PLACE,),
        )
        columns = [pa.array(range(len(handles)), pa.int64()), [one.hex() for one in handles]]
        same = exp.EQ(this=_column(ASKED), expression=_column(HANDLE))
        query = _query(_column(PLACE), _column(SAMPLE)).join(exp.to_table(asked.name), on=same)
        found: list[str | None] = [None] * len(handles)
        self._engine.ensure(asked)
        try:
            self._engine.append(asked, [pa.record_batch(columns, names=[PLACE, ASKED])])
            for batch in self._engine.stream(query, {KEY: key_id}):
                places = batch.column(PLACE).to_pylist()
                for place, sample in zip(places, batch.column(SAMPLE).to_pylist(), strict=True):
                    found[place] = sample
        finally:
            self._engine.drop(asked.name)
        return found

    def _single(self) -> Prepared:
        if self._one is None:
            same = exp.EQ(this=_column(HANDLE), expression=exp.Placeholder(this=HANDLE))
            self._one = self._engine.prepare(_query(_column(SAMPLE)).where(same))
        return self._one


def _query(*columns: exp.Column) -> exp.Select:
    same_key = exp.EQ(this=_column(KEY), expression=exp.Placeholder(this=KEY))
    return exp.select(*columns).from_(exp.to_table(HANDLES.name)).where(same_key)


def _column(name: str) -> exp.Column:
    return exp.column(name, quoted=True)


def _pieces(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while piece := list(islice(iterator, size)):
        yield piece
