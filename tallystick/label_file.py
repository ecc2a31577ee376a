"""Labels as a file: one line a customer, CSV or Parquet (L3)."""

from collections.abc import Sequence

import pyarrow as pa

from party.identifying import Labels

IDENTIFIED = "identified"


def label_table(labels: Labels, customers: Sequence[str], party: str) -> pa.Table:
    """In the order of the customers: id, status, label and, where it was released, F as score."""
    columns = {
        "id": pa.array(customers),
        "status": pa.array([_status(labels, customer, party) for customer in customers]),
        "label": pa.array([labels.labels[customer] for customer in customers], pa.int64()),
    }
    if labels.scores is not None:
        found = [labels.scores[customer] for customer in customers]
        scores = [None if one is None else one / 100 for one in found]
        columns["score"] = pa.array(scores, pa.float64())
    return pa.table(columns)


def _status(labels: Labels, customer: str, party: str) -> str:
    """Which of several other parties lacks a customer is not told to anybody."""
    if labels.labels[customer] is not None:
        return IDENTIFIED
    if customer not in labels.own:
        return f"not at {party}"
    others = [one for one in labels.parties if one != party]
    return f"not at {others[0]}" if len(others) == 1 else "not at every party"
