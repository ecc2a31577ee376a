"""Timeline: the log as a readable sequence; who, what, job, round, sizes, cause (D3, D4)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Connection, Select, String, Table, Text, insert, select

from events.catalogue import Fact
from events.event import Event
from projections.projection import (
    METADATA,
    WHOLE_NUMBER,
    Payloads,
    Placed,
    Projection,
    storable,
)

LONGEST_TEXT = 80
LONGEST_WORD = 40  # longer ones are keys and digests, which nobody reads

TIMELINE_ROWS = Table(
    "projection_timeline",
    METADATA,
    Column("position", WHOLE_NUMBER, primary_key=True, autoincrement=False),
    Column("event_id", String(64), nullable=False, unique=True),
    Column("time", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("job", Text, nullable=False, index=True),
    Column("round", WHOLE_NUMBER),
    Column("facts", Text, nullable=False),
    Column("payloads", Text, nullable=False),
    Column("payload_bytes", WHOLE_NUMBER, nullable=False),
    Column("cause", String(64)),
)


ADD = insert(TIMELINE_ROWS)  # built once: that takes longer than running it


def apply(connection: Connection, facts: Sequence[Placed], _payloads: Payloads) -> None:
    if facts:
        connection.execute(ADD, [_row(one.position, one.fact) for one in facts])


def _row(position: int, fact: Fact[Event]) -> dict[str, Any]:
    envelope = fact.envelope
    return {
        "position": position,
        "event_id": envelope.id,
        "time": envelope.time,
        "source": envelope.source,
        "stream": envelope.stream,
        "type": envelope.type,
        "job": storable(fact.job),
        "round": getattr(fact.event, "round", None),
        "facts": _facts(fact.event),
        "payloads": _payload_shapes(fact),
        "payload_bytes": min(sum(p.size for p in envelope.payloads), 2**63 - 1),
        "cause": envelope.cause,
    }


def timeline(after: int = 0, limit: int = 1000, job: str | None = None) -> Select[*tuple[Any, ...]]:
    """Rows behind a position, with the position of each one's cause where it is in the log."""
    causes = TIMELINE_ROWS.alias("causes")
    cause_position = (
        select(causes.c.position)
        .where(causes.c.event_id == TIMELINE_ROWS.c.cause)
        .scalar_subquery()
        .label("cause_position")
    )
    query = select(TIMELINE_ROWS, cause_position).where(TIMELINE_ROWS.c.position > after)
    if job is not None:
        query = query.where(TIMELINE_ROWS.c.job == job)
    return query.order_by(TIMELINE_ROWS.c.position).limit(limit)


def _facts(event: Event) -> str:
    """The small facts of the body: `columns=12 reason=no such data`."""
    shown = []
    for name, value in event.model_dump(mode="json", exclude={"job", "round"}).items():
        if isinstance(value, int | float | str) and not _is_key(value):
            text = str(value)
            shown.append(f"{name}={text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT]}")
    return storable(" ".join(shown))


def _is_key(value: float | str) -> bool:
    return isinstance(value, str) and len(value) > LONGEST_WORD and " " not in value


def _payload_shapes(fact: Fact[Event]) -> str:
    """`codes uint8[12x900]` and so on."""
    return " ".join(
        f"{payload.name} {payload.kind}[{'x'.join(map(str, payload.shape))}]"
        for payload in fact.envelope.payloads
    )


TIMELINE = Projection("timeline", 1, (TIMELINE_ROWS,), apply)
