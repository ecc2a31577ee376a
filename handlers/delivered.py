"""What a mart delivered, as the parties that receive it use it (requirement A1)."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from events.catalogue import Fact
from events.mart import FeaturesDelivered, IdentifiersMatched
from handlers.alignment import handles_of
from handlers.errors import JobError, ProtocolError
from handlers.history import History
from handlers.own import Own
from handlers.snapshot import Snapshot, StoredColumns
from learning.binning import Column


def is_served_by_mart(history: History, own: Own) -> bool:
    """The participant of a job with a mart: its features are delivered, it knows no ids."""
    return history.terms.mart is not None and own.name in history.terms.participants


def delivered_snapshot(history: History, own: Own) -> Snapshot:
    """The deliveries as a table: columns by neutral names, rows in the common order, no ids."""
    deliveries = sorted(history.of(FeaturesDelivered), key=lambda fact: fact.event.delivery)
    columns: dict[str, Callable[[], Column]] = {}
    for fact in deliveries:
        for place in range(fact.event.columns):
            name = f"feature-{len(columns) + 1:04}"
            columns[name] = partial(_read_column, own, fact, place)
    return Snapshot((), StoredColumns(columns), None, {})


def mart_handles(own: Own, ids: tuple[str, ...]) -> list[bytes]:
    """Keyed hashes under the key that the mart's members share and the mart has not."""
    return handles_of(own.mart_key(), ids)


def rows_in_mart(history: History, own: Own, ids: tuple[str, ...]) -> NDArray[np.int64]:
    """Rows of the local party's table that the mart matched, in the common order."""
    fact = history.one(IdentifiersMatched)
    positions = own.array(fact.payload("positions"), "i8")
    handles = mart_handles(own, ids)
    sorted_rows = np.array(sorted(range(len(handles)), key=handles.__getitem__), np.int64)
    if len(np.unique(positions)) != len(positions):
        raise ProtocolError(f"{fact.source} matches identifiers that repeat")
    if len(positions) and not 0 <= positions.min() <= positions.max() < len(sorted_rows):
        raise ProtocolError(f"{fact.source} matches identifiers that were never posted")
    rows: NDArray[np.int64] = sorted_rows[positions]
    return rows


def _read_column(own: Own, fact: Fact[FeaturesDelivered], place: int) -> Column:
    column: Column = own.array(fact.payload("features"), "f8")[place]
    if np.isinf(column).any():
        raise JobError("data", f"{fact.source} delivers a column that is infinite in some rows")
    return column
