"""How often each customer was identified by each model: what the quota is counted on (L3)."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Connection, Select, Table, Text, func, insert, select, update

from events.catalogue import Fact
from events.event import Event
from events.identifying import CustomersScored
from projections.projection import METADATA, WHOLE_NUMBER, Payloads, Placed, Projection

PAGE = 5000

IDENTIFIED_ROWS = Table(
    "projection_identified",
    METADATA,
    Column("model", Text, primary_key=True),
    Column("customer", Text, primary_key=True),
    Column("times", WHOLE_NUMBER, nullable=False),
)


def apply(connection: Connection, facts: Sequence[Placed], payloads: Payloads) -> None:
    for _, fact in facts:
        _note(connection, fact, payloads)


def _note(connection: Connection, fact: Fact[Event], payloads: Payloads) -> None:
    """Once a request whose scores this party made, whatever became of it afterwards."""
    if not isinstance(fact.event, CustomersScored):
        return
    commitment = fact.payload("customers").commitment
    if not payloads.has(commitment):  # in a copy of the log, for others
        return
    customers = json.loads(payloads.read(commitment))
    here = [one for one in customers if one is not None]
    for start in range(0, len(here), PAGE):
        _count(connection, fact.event.model_id, here[start : start + PAGE])


def exhausted(model: str, customers: Sequence[str], limit: int) -> Select[*tuple[Any, ...]]:
    """How many of these customers, of at most PAGE, have been identified so often already."""
    table = IDENTIFIED_ROWS.c
    query = select(func.count().label("customers")).select_from(IDENTIFIED_ROWS)
    return query.where(table.model == model, table.customer.in_(customers), table.times >= limit)


def _count(connection: Connection, model: str, customers: list[str]) -> None:
    table = IDENTIFIED_ROWS.c
    same = (table.model == model, table.customer.in_(customers))
    known = set(connection.execute(select(table.customer).where(*same)).scalars())
    connection.execute(update(IDENTIFIED_ROWS).where(*same).values(times=table.times + 1))
    if new := [one for one in customers if one not in known]:
        rows = [{"model": model, "customer": one, "times": 1} for one in new]
        connection.execute(insert(IDENTIFIED_ROWS), rows)


IDENTIFIED = Projection("identified", 1, (IDENTIFIED_ROWS,), apply)
