"""What one transaction on the log may do: append, move cursors, keep account of deliveries."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import JsonValue

from events.envelope import Envelope, digest_of, format_time
from store import statements
from store.entry import Entry, HeldEnvelope, StreamHead
from store.errors import CursorConflictError, EquivocationError, SequenceConflictError, StoreError
from store.plain_sqlite import Statements

PARK_AFTER = 10
LONGEST_REASON = 500


class LogTransaction:
    """The one writer of the log while it lasts; get it from `Log.transaction()`.

    What is appended waits here and goes to the database together, as few statements, before
    anything that could ask for it and at the end: a way to a server costs more than a row.
    """

    def __init__(self, connection: Statements) -> None:
        self._connection = connection
        # The gap-free counter's lock.
        self.begun_at: int = connection.execute(statements.HEAD_LOCKED).scalar_one()
        self._head: int = self.begun_at
        self._stream_heads: dict[tuple[str, str], StreamHead | None] = {}
        self._appended: list[dict[str, object]] = []
        self._addressed: list[dict[str, object]] = []
        self.appended: list[Entry] = []
        self.has_addressed = False

    @property
    def has_appended(self) -> bool:
        return self._head > self.begun_at

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
        values: dict[str, object] = {
            "position": position,
            "event_id": envelope.id,
            "source": envelope.source,
            "stream": envelope.stream,
            "sequence": envelope.sequence,
            "type": envelope.type,
            "job": str(job or ""),
            "time": envelope.time,
            "digest": digest,
            "canonical": canonical,
        }
        self._appended.append(values)
        self.appended.append(Entry(position, canonical))
        self._head = position
        head = StreamHead(envelope.sequence, digest, envelope.time)
        self._stream_heads[envelope.source, envelope.stream] = head
        for name in sorted(set(recipients)):
            address = {"position": position, "recipient": name, "state": "pending", "attempts": 0}
            self._addressed.append(address)
            self.has_addressed = True
        return position

    def newest_time_of(self, source: str) -> str:
        """Of everything that one issuer said; empty if it said nothing."""
        newest = self._connection.scalar(statements.NEWEST_TIME_OF, {"of_source": source})
        return str(newest or "")

    def addressed(self, recipient: str) -> int:
        """How many events were to be delivered to one recipient so far."""
        return self._connection.scalar(statements.ADDRESSED, {"to": recipient}) or 0

    def cursor(self, name: str) -> int:
        return self._connection.scalar(statements.CURSOR, {"of_name": name}) or 0

    def move_cursor(self, name: str, position: int) -> None:
        """Forward only. CursorConflictError means that another process did this step already."""
        place = self._connection.scalar(statements.CURSOR, {"of_name": name})
        current = place or 0
        if not current < position <= self._head:
            raise CursorConflictError(
                f"cursor {name!r} cannot move from {current} to {position} in a log of "
                f"{self._head}: is the same party running twice?"
            )
        if place is not None:
            moved = {"of_name": name, "position": position}
            self._connection.execute(statements.MOVE_CURSOR, moved)
        else:
            self._connection.execute(statements.FIRST_MOVE, {"name": name, "position": position})

    def begin_cursor(self, name: str, beside: str) -> None:
        """A new pump begins where another one stands, if it has no place of its own yet."""
        if self._connection.scalar(statements.CURSOR, {"of_name": name}) is None:
            begun = {"name": name, "position": self.cursor(beside)}
            self._connection.execute(statements.FIRST_MOVE, begun)

    def confirm_delivery(self, position: int, recipient: str) -> None:
        """The recipient's queue has it."""
        self._settle(position, recipient, state="confirmed", reason=None)

    def fail_delivery(
        self, position: int, recipient: str, reason: str, park_after: int = PARK_AFTER
    ) -> bool:
        """Count a failed attempt; at `park_after` of them the delivery is parked: True then."""
        self._write()
        delivery = {"of_position": position, "of_recipient": recipient}
        attempts = (self._connection.scalar(statements.ATTEMPTS, delivery) or 0) + 1
        state = "parked" if attempts >= park_after else "pending"
        self._settle(position, recipient, state=state, attempts=attempts, reason=_short(reason))
        return state == "parked"

    def deliver_again(self, source: str, stream: str, first: int, last: int, recipient: str) -> int:
        """Make confirmed deliveries of these numbers of a stream pending again; returns how many.

        For a recipient who says that they have not arrived: it drops what it knows.
        """
        self._write()
        numbers = {"first": first, "last": last}
        place = {"of_source": source, "of_stream": stream, "of_recipient": recipient}
        return int(self._connection.execute(statements.DELIVER_AGAIN, place | numbers).rowcount)

    def retry_parked(self) -> int:
        """Give every parked delivery a fresh start; returns how many there were."""
        self._write()
        return int(self._connection.execute(statements.RETRY_PARKED).rowcount)

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
        held = self._connection.scalar(statements.HELD_TEXT, {"of_event": envelope.id})
        if held is not None and bytes(held) != canonical:
            raise _equivocation(envelope)
        values = {
            "sender": _short(sender),
            "transport": json.dumps(transport, sort_keys=True),
            "received_at": format_time(datetime.now(UTC)),
        }
        if held is not None:
            again = {"of_event": envelope.id, **values}
            self._connection.execute(statements.HOLD_AGAIN, again)
            return
        place = {
            "event_id": envelope.id,
            "source": envelope.source,
            "stream": envelope.stream,
            "sequence": envelope.sequence,
            "canonical": canonical,
        }
        self._connection.execute(statements.HOLD, place | values)

    def held(self, source: str, stream: str) -> list[HeldEnvelope]:
        place = {"of_source": source, "of_stream": stream}
        rows = self._connection.execute(statements.HELD_IN_STREAM, place)
        return [held_envelope(row) for row in rows]

    def release(self, event_id: str) -> None:
        """Hold an envelope no longer: it was appended, or refused after all."""
        self._connection.execute(statements.RELEASE, {"of_event": event_id})

    def keep_payloads(self, salted: Sequence[tuple[str, bytes]]) -> None:
        """Keep small payloads, by commitment, until their files are on the disk.

        See `PayloadStore.place`.
        """
        kept = [{"of_commitment": name, "salted": content} for name, content in salted]
        if kept:
            self._connection.execute(statements.KEEP_PAYLOAD, kept)

    def let_payloads_go(self, commitments: Sequence[str]) -> None:
        """Their files are on the disk."""
        gone = [{"of_commitment": commitment} for commitment in commitments]
        if gone:
            self._connection.execute(statements.LET_PAYLOAD_GO, gone)

    def refuse(self, sender: str, reason: str, event_type: str = "", times: int = 1) -> None:
        """Count refused messages. `reason` is a short code: never content of a message."""
        key = {"sender": _short(sender), "reason": _short(reason), "type": _short(event_type)}
        now = format_time(datetime.now(UTC))
        again = {f"of_{name}": value for name, value in key.items()} | {"now": now, "times": times}
        if self._connection.execute(statements.REFUSE_AGAIN, again).rowcount == 0:
            first = {**key, "count": times, "first_time": now, "last_time": now}
            self._connection.execute(statements.REFUSE_FIRST, first)

    def finish(self) -> None:
        """The last statements of the transaction; `Log.transaction()` calls it."""
        self._write()
        if self.has_appended:
            self._connection.execute(statements.MOVE_HEAD, {"position": self._head})

    def _write(self) -> None:
        """Bring what was appended to the database, events before their deliveries."""
        for statement, rows in (
            (statements.APPEND, self._appended),
            (statements.ADDRESS, self._addressed),
        ):
            if rows:
                self._connection.execute(statement, rows)
                rows.clear()

    def _position_of(self, envelope: Envelope, canonical: bytes) -> int:
        self._write()
        place = {
            "of_source": envelope.source,
            "of_stream": envelope.stream,
            "of_sequence": envelope.sequence,
        }
        row = self._connection.execute(statements.ENTRY_IN_STREAM, place).one()
        if bytes(row.canonical) != canonical:
            raise _equivocation(envelope)
        return int(row.position)

    def _settle(self, position: int, recipient: str, **values: Any) -> None:  # noqa: ANN401
        self._write()
        delivery = {"of_position": position, "of_recipient": recipient}
        change = self._connection.execute(statements.SETTLE, delivery | values)
        if change.rowcount == 0:
            raise StoreError(f"position {position} was never meant for {recipient}")


def stream_head(connection: Statements, source: str, stream: str) -> StreamHead | None:
    place = {"of_source": source, "of_stream": stream}
    row = connection.execute(statements.STREAM_HEAD, place).first()
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


def held_envelope(row: Any) -> HeldEnvelope:  # noqa: ANN401 - a row by name
    return HeldEnvelope(
        row.sender, bytes(row.canonical), json.loads(row.transport), row.received_at
    )


def _short(text: str) -> str:
    """What a stranger sent, made fit for a text column."""
    return text[:LONGEST_REASON].encode(errors="replace").decode().replace("\0", "?")


def _equivocation(envelope: Envelope) -> EquivocationError:
    return EquivocationError(
        f"{envelope.source} signed two different {envelope.type} in one place of stream "
        f"{envelope.stream}: keep both, and compare logs with the other members"
    )
