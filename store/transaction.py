"""What one transaction on the log may do: append, move cursors, keep account of deliveries."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import JsonValue
from sqlalchemy import Connection, Row, and_, delete, insert, select, update

from events.envelope import Envelope, digest_of, format_time
from store.entry import HeldEnvelope, StreamHead
from store.errors import CursorConflictError, EquivocationError, SequenceConflictError, StoreError
from store.tables import CURSORS, DELIVERIES, EVENTS, HELD, LOG_HEAD, REFUSALS

PARK_AFTER = 10
LONGEST_REASON = 500


class LogTransaction:
    """The one writer of the log while it lasts; get it from `Log.transaction()`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        query = select(LOG_HEAD.c.position).with_for_update()  # the gap-free counter's lock
        self._begun_at: int = connection.execute(query).scalar_one()
        self._head: int = self._begun_at
        self._stream_heads: dict[tuple[str, str], StreamHead | None] = {}

    @property
    def has_appended(self) -> bool:
        return self._head > self._begun_at

    def head(self) -> int:
        """The newest position, this transaction's own appends included."""
        return self._head

    def stream_head(self, source: str, stream: str) -> StreamHead | None:
        if (source, stream) not in self._stream_heads:
            self._stream_heads[source, stream] = stream_head(self._connection, source, stream)
        return self._stream_heads[source, stream]

    def append(self, envelope: Envelope, canonical: bytes, recipients: Sequence[str] = ()) -> int:
        """Append a verified event, to be delivered to `recipients`; returns its position.

        The same event again gives the position it has and changes nothing. Raises
        SequenceConflictError when it is not the next of its stream, EquivocationError when its
        issuer has signed something else in its place or before it.
        """
        head = self.stream_head(envelope.source, envelope.stream)
        if head is not None and envelope.sequence <= head.sequence:
            return self._position_of(envelope, canonical)
        _check_follows(envelope, head)
        if envelope.is_private and recipients:
            raise StoreError(f"{envelope.type} is private and goes to nobody")
        position = self._head + 1
        digest = digest_of(canonical)
        job = envelope.data.get("job") if envelope.is_private else envelope.stream
        self._connection.execute(
            insert(EVENTS).values(
                position=position,
                event_id=envelope.id,
                source=envelope.source,
                stream=envelope.stream,
                sequence=envelope.sequence,
                type=envelope.type,
                job=str(job or ""),
                time=envelope.time,
                digest=digest,
                canonical=canonical,
            )
        )
        self._head = position
        head = StreamHead(envelope.sequence, digest, envelope.time)
        self._stream_heads[envelope.source, envelope.stream] = head
        if recipients:
            rows = [
                {"position": position, "recipient": name, "state": "pending", "attempts": 0}
                for name in sorted(set(recipients))
            ]
            self._connection.execute(insert(DELIVERIES), rows)
        return position

    def cursor(self, name: str) -> int:
        query = select(CURSORS.c.position).where(CURSORS.c.name == name)
        return self._connection.scalar(query) or 0

    def move_cursor(self, name: str, position: int) -> None:
        """Forward only. CursorConflictError means that another process did this step already."""
        current = self.cursor(name)
        if not current < position <= self._head:
            raise CursorConflictError(
                f"cursor {name!r} cannot move from {current} to {position} in a log of "
                f"{self._head}: is the same party running twice?"
            )
        values = {"name": name, "position": position}
        if current:
            self._connection.execute(update(CURSORS).where(CURSORS.c.name == name).values(values))
        else:
            self._connection.execute(insert(CURSORS).values(values))

    def confirm_delivery(self, position: int, recipient: str) -> None:
        """The recipient's queue has it."""
        self._settle(position, recipient, state="confirmed", reason=None)

    def fail_delivery(
        self, position: int, recipient: str, reason: str, park_after: int = PARK_AFTER
    ) -> bool:
        """Count a failed attempt; at `park_after` of them the delivery is parked: True then."""
        query = select(DELIVERIES.c.attempts).where(_is_delivery(position, recipient))
        attempts = (self._connection.scalar(query) or 0) + 1
        state = "parked" if attempts >= park_after else "pending"
        self._settle(position, recipient, state=state, attempts=attempts, reason=_short(reason))
        return state == "parked"

    def retry_parked(self) -> int:
        """Give every parked delivery a fresh start; returns how many there were."""
        parked = update(DELIVERIES).where(DELIVERIES.c.state == "parked")
        return self._connection.execute(parked.values(state="pending", attempts=0)).rowcount

    def hold(
        self,
        envelope: Envelope,
        canonical: bytes,
        sender: str,
        transport: Mapping[str, JsonValue],
    ) -> None:
        """Keep a verified envelope until what it waits for is here.

        Idempotent: the newest transport data count. Raises EquivocationError when another text of
        the same event is held.
        """
        query = select(HELD.c.canonical).where(HELD.c.event_id == envelope.id)
        held = self._connection.scalar(query)
        if held is not None and bytes(held) != canonical:
            raise _equivocation(envelope)
        values = {
            "sender": _short(sender),
            "transport": json.dumps(transport, sort_keys=True),
            "received_at": format_time(datetime.now(UTC)),
        }
        if held is not None:
            same = HELD.c.event_id == envelope.id
            self._connection.execute(update(HELD).where(same).values(values))
            return
        self._connection.execute(
            insert(HELD).values(
                event_id=envelope.id,
                source=envelope.source,
                stream=envelope.stream,
                sequence=envelope.sequence,
                canonical=canonical,
                **values,
            )
        )

    def held(self, source: str, stream: str) -> list[HeldEnvelope]:
        query = select(HELD).where(HELD.c.source == source, HELD.c.stream == stream)
        rows = self._connection.execute(query.order_by(HELD.c.sequence))
        return [held_envelope(row) for row in rows]

    def release(self, event_id: str) -> None:
        """Hold an envelope no longer: it was appended, or refused after all."""
        self._connection.execute(delete(HELD).where(HELD.c.event_id == event_id))

    def refuse(self, sender: str, reason: str, event_type: str = "") -> None:
        """Count a refused message. `reason` is a short code: never content of the message."""
        key = {"sender": _short(sender), "reason": _short(reason), "type": _short(event_type)}
        now = format_time(datetime.now(UTC))
        same = and_(*(REFUSALS.c[name] == value for name, value in key.items()))
        again = update(REFUSALS).where(same).values(count=REFUSALS.c.count + 1, last_time=now)
        if self._connection.execute(again).rowcount == 0:
            first = insert(REFUSALS).values(**key, count=1, first_time=now, last_time=now)
            self._connection.execute(first)

    def store_head(self) -> None:
        """The last statement of the transaction; `Log.transaction()` calls it."""
        if self.has_appended:
            self._connection.execute(update(LOG_HEAD).values(position=self._head))

    def _position_of(self, envelope: Envelope, canonical: bytes) -> int:
        query = select(EVENTS.c.position, EVENTS.c.canonical).where(
            EVENTS.c.source == envelope.source,
            EVENTS.c.stream == envelope.stream,
            EVENTS.c.sequence == envelope.sequence,
        )
        row = self._connection.execute(query).one()
        if bytes(row.canonical) != canonical:
            raise _equivocation(envelope)
        return int(row.position)

    def _settle(self, position: int, recipient: str, **values: Any) -> None:  # noqa: ANN401
        change = update(DELIVERIES).where(_is_delivery(position, recipient)).values(**values)
        if self._connection.execute(change).rowcount == 0:
            raise StoreError(f"position {position} was never meant for {recipient}")


def stream_head(connection: Connection, source: str, stream: str) -> StreamHead | None:
    query = (
        select(EVENTS.c.sequence, EVENTS.c.digest, EVENTS.c.time)
        .where(EVENTS.c.source == source, EVENTS.c.stream == stream)
        .order_by(EVENTS.c.sequence.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    return StreamHead(*row) if row else None


def _check_follows(envelope: Envelope, head: StreamHead | None) -> None:
    expected = head.sequence + 1 if head else 0
    if envelope.sequence != expected:
        raise SequenceConflictError(
            f"{envelope.type} of {envelope.source} has number {envelope.sequence} in stream "
            f"{envelope.stream}; the next one is {expected}"
        )
    if envelope.previous != (head.digest if head else None):
        raise EquivocationError(
            f"{envelope.type} of {envelope.source} continues another history of stream "
            f"{envelope.stream} than the one in this log: compare logs with the other members"
        )


def held_envelope(row: Row[Any]) -> HeldEnvelope:
    return HeldEnvelope(
        row.sender, bytes(row.canonical), json.loads(row.transport), row.received_at
    )


def _is_delivery(position: int, recipient: str) -> Any:  # noqa: ANN401 - a clause of SQL
    return and_(DELIVERIES.c.position == position, DELIVERIES.c.recipient == recipient)


def _short(text: str) -> str:
    """What a stranger sent, made fit for a text column."""
    return text[:LONGEST_REASON].encode(errors="replace").decode().replace("\0", "?")


def _equivocation(envelope: Envelope) -> EquivocationError:
    return EquivocationError(
        f"{envelope.source} signed two different {envelope.type} in one place of stream "
        f"{envelope.stream}: keep both, and compare logs with the other members"
    )
