"""Loss history: what each round was worth to this party (requirements D3, T8)."""

from typing import Any

from sqlalchemy import Column, Connection, Double, Select, Table, Text, insert, select

from events.catalogue import Fact
from events.event import Event
from events.rounds import LossRecorded
from projections.projection import METADATA, WHOLE_NUMBER, Payloads, Projection

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


def apply(connection: Connection, position: int, fact: Fact[Event], _payloads: Payloads) -> None:
    if isinstance(fact.event, LossRecorded):
        connection.execute(
            insert(LOSSES).values(
                position=position,
                job=fact.job,
                party=fact.source,
                round=fact.event.round,
                measure=fact.event.measure,
                value=fact.event.value,
            )
        )


def losses(job: str) -> Select[*tuple[Any, ...]]:
    """The losses of one job in order of time."""
    return select(LOSSES).where(LOSSES.c.job == job).order_by(LOSSES.c.position)


LOSS_HISTORY = Projection("loss_history", 1, (LOSSES,), apply)
