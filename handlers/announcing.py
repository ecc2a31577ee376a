"""The local party says which rows everybody trains on (requirement A3)."""

import numpy as np
from numpy.typing import NDArray

from events.preparation import LabelsShared, RowsAligned
from handlers.drafts import Draft, Payload, draft, vector
from handlers.errors import JobError
from handlers.history import History
from handlers.own import Own
from handlers.prepared import own_snapshot
from handlers.preparing import held_out_rows, training_labels


def check_overlap(rows: int, history: History, own: Own) -> None:
    """Raises JobError: too few customers in common."""
    least = max(history.terms.smallest_overlap, own.policy.smallest_overlap, 2)
    if rows < least:
        raise JobError(
            "no-overlap",
            f"only {rows} customers are in all data sets, at least {least} are needed: check that "
            "the parties write customer ids in the same form",
        )


def announce_rows(
    history: History, own: Own, rows: NDArray[np.int64], handles: Payload
) -> list[Draft]:
    """`rows` of the own table are common to all, in this order; which of them are held out."""
    terms, snapshot = history.terms, own_snapshot(history, own)
    held_out = held_out_rows(snapshot, rows, terms)
    label = training_labels(snapshot, rows[~held_out], terms)
    count = int(held_out.sum())
    aligned = RowsAligned(rows=len(rows), training_rows=len(rows) - count, held_out_rows=count)
    mask = vector("held_out", held_out.astype(np.uint8))
    drafts = [draft(aligned, history.job, terms, handles, mask)]
    if terms.profile == "patent":
        shared = LabelsShared(rows=len(label))
        drafts.insert(0, draft(shared, history.job, terms, vector("labels", label)))
    return drafts
