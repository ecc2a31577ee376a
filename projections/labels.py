"""Final labels: what was decided about each customer, by model and threshold (D3, S3)."""

from typing import Any

from sqlalchemy import Column, Connection, Double, Select, Table, Text, delete, insert, select

from events.catalogue import Fact
from events.event import Event
from events.predictions import PredictionCompleted
from projections.projection import METADATA, WHOLE_NUMBER, Payloads, Projection
from scoring.results import Results, decode_results, labels_of

PAGE = 5000

LABELS = Table(
    "projection_labels",
    METADATA,
    Column("model", Text, primary_key=True),
    Column("customer", Text, primary_key=True),
    Column("threshold", Text, primary_key=True),
    Column("label", WHOLE_NUMBER, nullable=False),
    Column("value", Double, nullable=False),
    Column("version", WHOLE_NUMBER, nullable=False),
    Column("job", Text, nullable=False),
    Column("time", Text, nullable=False),
)


def apply(connection: Connection, _position: int, fact: Fact[Event], payloads: Payloads) -> None:
    """The newest label of a customer, by a model at a threshold, takes the place of an older one.

    Without a threshold only classes are labels. `value` is the probability that was compared, or
    that of the class.
    """
    event = fact.event
    if not isinstance(event, PredictionCompleted):
        return
    commitment = fact.payload("results").commitment
    if not payloads.has(commitment):
        return
    results = decode_results(payloads.read(commitment))
    if event.threshold is None and results.values.shape[1] == 1:
        return
    threshold = "" if event.threshold is None else repr(event.threshold)
    same = {"model": event.model_id, "threshold": threshold}
    told = {"version": event.model_version, "job": event.job, "time": fact.envelope.time}
    rows = [{**same, **told, **row} for row in _rows(results, event.threshold or 0.0)]
    for start in range(0, len(rows), PAGE):
        _put(connection, rows[start : start + PAGE])


def labels(model: str | None = None) -> Select[*tuple[Any, ...]]:
    """The labels of one model, or of all."""
    query = select(LABELS).order_by(LABELS.c.model, LABELS.c.threshold, LABELS.c.customer)
    return query if model is None else query.where(LABELS.c.model == model)


def _rows(results: Results, threshold: float) -> list[dict[str, Any]]:
    """One a customer, the last where one was asked for twice."""
    found: dict[str, dict[str, Any]] = {}
    for row, label in enumerate(labels_of(results, threshold)):
        if label is not None:
            values = results.values[row]
            value = float(values[label] if len(values) > 1 else values[0])
            customer = results.ids[row]
            found[customer] = {"customer": customer, "label": label, "value": value}
    return list(found.values())


def _put(connection: Connection, rows: list[dict[str, Any]]) -> None:
    first, customers = rows[0], [row["customer"] for row in rows]
    connection.execute(
        delete(LABELS).where(
            LABELS.c.model == first["model"],
            LABELS.c.threshold == first["threshold"],
            LABELS.c.customer.in_(customers),
        )
    )
    connection.execute(insert(LABELS), rows)


FINAL_LABELS = Projection("labels", 1, (LABELS,), apply)
