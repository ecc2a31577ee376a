"""Loss history: what each round was worth to this party (requirements D3, T8)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Connection, Double, Select, Table, Text, insert, select

from events.rounds import LossRecorded
from projections.projection import METADATA, WHOLE_NUMBER, Payloads, Placed, Projection

LOSSES = Table(
    "projection_loss_history",
    METADATA,
    Column("position", WHOLE_NUMBER, primary_key=True, autoincrement=False),
    Column("job", Text, nullable=False, index=True),
    Column("party", Text, nullable=False),
    Column("round", WHOLE_NUMBER, nullable=False),
    Column("measure", Text, nullable=False),
    Column("value", Double, nullable=False),
)


def apply(connection: Connection, facts: Sequence[Placed], _payloads: Payloads) -> None:
    rows = [
        {
            "position": position,
            "job": fact.job,
            "party": fact.source,
            "round": fact.event.round,
            "measure": fact.event.measure,
            "value": fact.event.value,
        }
        for position, fact in facts
        if isinstance(fact.event, LossRecorded)
    ]
    if rows:
        connection.execute(insert(LOSSES), rows)


def losses(job: str) -> Select[*tuple[Any, ...]]:
    """The losses of one job in order of time."""
    return select(LOSSES).where(LOSSES.c.job == job).order_by(LOSSES.c.position)


LOSS_HISTORY = Projection("loss_history", 1, (LOSSES,), apply)
