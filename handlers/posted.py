"""A party's identifiers as it posts them for an intersection: their order, exponent and batches."""

import numpy as np
from numpy.typing import NDArray

from events.intersection import RowsMatched
from events.lifecycle import TrainingAccepted, TrainingRequested
from events.preparation import DataSnapshotted, RowsAligned
from handlers.errors import ProtocolError
from handlers.history import History
from handlers.own import Own
from handlers.prepared import own_snapshot
from handlers.ristretto import draw_exponent

IDENTIFIERS_PER_BATCH = 65_536


def customers_of(history: History, name: str) -> int:
    """How many identifiers a data party announced. Raises ProtocolError when it did not."""
    if name == history.terms.local:
        return history.one(TrainingRequested).event.customers
    return history.one(TrainingAccepted, source=name).event.customers


def batches_of(customers: int) -> int:
    return -(-customers // IDENTIFIERS_PER_BATCH)


def rows_of_batch(customers: int, batch: int) -> slice:
    """Places of a batch (counted from 1) in the posted order; empty beyond the last."""
    start = min((batch - 1) * IDENTIFIERS_PER_BATCH, customers)
    return slice(start, min(start + IDENTIFIERS_PER_BATCH, customers))


def own_exponent(history: History, own: Own) -> bytes:
    """Fresh for the job and the data."""
    generator = own.generator(history.job, "intersection exponent", _data(history))
    return own.remember(("exponent", history.job), lambda: draw_exponent(generator))


def own_order(history: History, own: Own) -> NDArray[np.int64]:
    """Which row of the own table stands at each place of the posting."""
    generator = own.generator(history.job, "intersection order", _data(history))
    customers = len(own_snapshot(history, own).ids)
    return own.remember(("order", history.job), lambda: generator.permutation(customers))


def matched_rows(history: History, own: Own) -> NDArray[np.int64]:
    """Rows of a participant's table that the local party found common to all, in common order."""
    fact = history.one(RowsMatched, owner=own.name)
    positions = own.array(fact.payload("positions"), "i8")
    order = own_order(history, own)
    aligned = history.one(RowsAligned).event.rows
    if len(positions) != aligned or len(np.unique(positions)) != aligned:
        raise ProtocolError("the aligned rows are not as many as announced, or repeated")
    if positions.min() < 0 or positions.max() >= len(order):
        raise ProtocolError("the aligned rows name a customer that this party never had")
    rows: NDArray[np.int64] = order[positions]
    return rows


def _data(history: History) -> str:
    return history.one(DataSnapshotted).payload("table").commitment
