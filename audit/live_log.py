"""Asking a log while it grows: read only, one short question at a time, at any size (D4)."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select

from audit.database_copy import DatabaseCopy
from events.vocabulary import PRIVATE_STREAM
from store import statements
from store.entry import Entry, Refusal, Undelivered
from store.tables import EVENTS, HELD


@dataclass(frozen=True)
class Selection:
    """Which events are wanted; what is empty does not matter."""

    type: str = ""
    source: str = ""
    job: str = ""
    only_shared: bool = False


class LiveLog:
    """Every answer is of this moment. Raises LogPlaceError and StoreError."""

    def __init__(self, url: str) -> None:
        self._database = DatabaseCopy(url)

    def head(self) -> int:
        return self._number(statements.HEAD)

    def last_time(self) -> str:
        """When the newest event is dated; empty for an empty log."""
        newest = select(EVENTS.c.time).order_by(EVENTS.c.position.desc()).limit(1)
        return next((str(time) for (time,) in self._rows(newest)), "")

    def newest(self, wanted: Selection, most: int, before: int | None = None) -> list[Entry]:
        """At most so many, the newest first, from those at positions before `before`."""
        query = _of(wanted).order_by(EVENTS.c.position.desc()).limit(most)
        return self._entries(query if before is None else query.where(EVENTS.c.position < before))

    def oldest(self, wanted: Selection, most: int, after: int) -> list[Entry]:
        """At most so many behind position `after`, the oldest first."""
        query = _of(wanted).where(EVENTS.c.position > after).order_by(EVENTS.c.position)
        return self._entries(query.limit(most))

    def of_types(self, types: tuple[str, ...], most: int) -> list[Entry]:
        """The newest events of these types, the newest first."""
        query = _of(Selection()).where(EVENTS.c.type.in_(types))
        return self._entries(query.order_by(EVENTS.c.position.desc()).limit(most))

    def job(self, name: str, after: int = 0, types: Collection[str] = ()) -> list[Entry]:
        """What this log has of a job, behind a position: all of it, or events of these types."""
        query = _of(Selection(job=name)).where(EVENTS.c.position > after)
        query = query.where(EVENTS.c.type.in_(types)) if types else query
        return self._entries(query.order_by(EVENTS.c.position))

    def jobs_begun(self, opening: str, after: int, until: int) -> list[str]:
        """The jobs that events of this type began between two positions, the last one included."""
        place = (EVENTS.c.position > after, EVENTS.c.position <= until)
        query = select(EVENTS.c.job).where(EVENTS.c.type == opening, *place)
        return [str(job) for (job,) in self._rows(query.order_by(EVENTS.c.position))]

    def jobs_touched(self, after: int, until: int) -> list[str]:
        """The jobs that have an event between two positions, the last one included."""
        place = (EVENTS.c.position > after, EVENTS.c.position <= until)
        return [str(job) for (job,) in self._rows(select(EVENTS.c.job).where(*place).distinct())]

    def event(self, event_id: str) -> Entry | None:
        found = self._entries(_of(Selection()).where(EVENTS.c.event_id == event_id))
        return found[0] if found else None

    def at(self, position: int) -> Entry | None:
        found = self._entries(_of(Selection()).where(EVENTS.c.position == position))
        return found[0] if found else None

    def before_in_stream(self, source: str, stream: str, sequence: int) -> Entry | None:
        place = (EVENTS.c.source == source, EVENTS.c.stream == stream)
        found = self._entries(_of(Selection()).where(*place, EVENTS.c.sequence == sequence - 1))
        return found[0] if found else None

    def last_position(self, job: str) -> int:
        """Of the newest event of a job; 0 where there is none."""
        newest = select(func.max(EVENTS.c.position)).where(EVENTS.c.job == job)
        return self._number(newest)

    def cursor(self, name: str) -> int:
        """How far a pump has got."""
        return self._number(statements.CURSOR, of_name=name)

    def undelivered(self) -> tuple[Undelivered, ...]:
        """What is on its way or was given up, by recipient and reason; counted, not read."""
        return tuple(Undelivered(*row) for row in self._rows(statements.UNDELIVERED_COUNTS))

    def held(self) -> tuple[tuple[str, str, int], ...]:
        """Issuer, stream and number of events that wait for the one before them."""
        place = (HELD.c.source, HELD.c.stream)
        query = select(*place, func.count()).group_by(*place).order_by(*place)
        return tuple((source, stream, count) for source, stream, count in self._rows(query))

    def refusals(self) -> tuple[Refusal, ...]:
        return self._database.refusals()

    def kept_payloads(self) -> dict[str, bytes]:
        """See `DatabaseCopy.kept_payloads`."""
        return self._database.kept_payloads()

    def close(self) -> None:
        self._database.close()

    def _entries(self, query: Select[Any]) -> list[Entry]:
        return [Entry(position, bytes(canonical)) for position, canonical in self._rows(query)]

    def _number(self, query: Select[Any], **values: str) -> int:
        return next((int(row[0] or 0) for row in self._rows(query, **values)), 0)

    def _rows(self, query: Select[Any], **values: str) -> Iterator[tuple[Any, ...]]:
        with self._database.reading() as connection:
            return iter([tuple(row) for row in connection.execute(query, values)])


def _of(wanted: Selection) -> Select[Any]:
    query = select(EVENTS.c.position, EVENTS.c.canonical)
    if wanted.type:
        query = query.where(EVENTS.c.type == wanted.type)
    if wanted.source:
        query = query.where(EVENTS.c.source == wanted.source)
    if wanted.job:
        query = query.where(EVENTS.c.job == wanted.job)
    if wanted.only_shared:
        query = query.where(EVENTS.c.stream != PRIVATE_STREAM)
    return query
