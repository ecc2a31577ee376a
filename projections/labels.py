"""Final labels: what was decided about each customer, by model and threshold (D3, S3, L3)."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Connection, Double, Select, Table, Text, delete, insert, select

from events.catalogue import Fact
from events.event import Event
from events.identifying import FinalLabelsRecorded
from events.predictions import PredictionCompleted
from projections.projection import METADATA, WHOLE_NUMBER, Payloads, Placed, Projection
from scoring.results import Results, decode_results, labels_of

PAGE = 5000

LABELS = Table(
    "projection_labels",
    METADATA,
    Column("model", Text, primary_key=True),
    Column("customer", Text, primary_key=True),
    Column("threshold", Text, primary_key=True),
    Column("label", WHOLE_NUMBER, nullable=False),
    Column("value", Double),
    Column("version", WHOLE_NUMBER, nullable=False),
    Column("job", Text, nullable=False),
    Column("time", Text, nullable=False),
)


def apply(connection: Connection, facts: Sequence[Placed], payloads: Payloads) -> None:
    for _, fact in facts:
        _label(connection, fact, payloads)


def _label(connection: Connection, fact: Fact[Event], payloads: Payloads) -> None:
    """The newest label of a customer, by a model at a threshold, takes the place of an older one.

    Without a threshold only classes are labels; a threshold of F is written `tau 0.03`. `value` is
    the probability that was compared, or that of the class. Of customers who were identified it
    stays with the arbiter, or is F with two digits.
    """
    if isinstance(fact.event, FinalLabelsRecorded):
        if payloads.has(fact.payload("labels").commitment):
            _keep(connection, fact, fact.event, _identified(fact, payloads))
    elif isinstance(fact.event, PredictionCompleted):
        _predicted(connection, fact, fact.event, payloads)


def labels(model: str | None = None) -> Select[*tuple[Any, ...]]:
    """The labels of one model, or of all."""
    query = select(LABELS).order_by(LABELS.c.model, LABELS.c.threshold, LABELS.c.customer)
    return query if model is None else query.where(LABELS.c.model == model)


def _predicted(
    connection: Connection, fact: Fact[Event], event: PredictionCompleted, payloads: Payloads
) -> None:
    commitment = fact.payload("results").commitment
    if not payloads.has(commitment):
        return
    results = decode_results(payloads.read(commitment))
    if event.threshold is None and results.values.shape[1] == 1:
        return
    for some in results.blocks(PAGE):
        _keep(connection, fact, event, _rows(some, event.threshold or 0.0))


def _keep(
    connection: Connection,
    fact: Fact[Event],
    event: PredictionCompleted | FinalLabelsRecorded,
    found: list[dict[str, Any]],
) -> None:
    if isinstance(event, FinalLabelsRecorded):
        threshold, version = f"tau {event.tau!r}", event.version
    else:
        threshold = "" if event.threshold is None else repr(event.threshold)
        version = event.model_version
    same = {"model": event.model_id, "threshold": threshold}
    told = {"version": version, "job": event.job, "time": fact.envelope.time}
    rows = [{**same, **told, **row} for row in found]
    for start in range(0, len(rows), PAGE):
        _put(connection, rows[start : start + PAGE])


def _identified(fact: Fact[Event], payloads: Payloads) -> list[dict[str, Any]]:
    """The customers whom every party has; nobody knows a label of the others."""
    document = json.loads(payloads.read(fact.payload("labels").commitment))
    scores = document["scores"] or [None] * len(document["labels"])
    return [
        {"customer": customer, "label": label, "value": None if score is None else score / 100}
        for customer, label, score in zip(
            document["customers"], document["labels"], scores, strict=True
        )
        if label
    ]


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


FINAL_LABELS = Projection("labels", 2, (LABELS,), apply)
