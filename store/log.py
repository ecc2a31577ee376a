"""A party's log: append-only, one order, positions 1, 2, 3 … without gaps (requirements D2).

Every transaction is the only writer while it lasts: by SQLite's own lock, and on PostgreSQL by the
lock on the counter row. So a position is given out once, a rollback leaves no hole, and a reader
that has seen position n has seen everything before it.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Row, Select

from store import statements
from store.database import open_engine, parse_url
from store.doorbell import Doorbell
from store.entry import Delivery, Entry, HeldEnvelope, Place, Refusal, StreamHead, Undelivered
from store.errors import StoreBusyError, StoreClosedError, StoreError
from store.failures import database_failures
from store.newest import Newest
from store.plain_sqlite import PlainConnections, Statements
from store.tables import create_tables
from store.transaction import LogTransaction, held_envelope, stream_head

POLL_SECONDS = 0.05
RARELY = 4  # so many times as long where bells tell, of which one may be lost


class Log:
    """The log at a database address; usable from several threads and processes at once.

    Processes that share the folder `bells` wake each other when one of them appends. Raises
    StoreUnreachableError, StoreReadOnlyError, StoreFormatError, StoreError.
    """

    def __init__(self, url: str, bells: Path | None = None) -> None:
        self._url = parse_url(url)
        self._engine = open_engine(url)
        sqlite = self._engine.dialect.name == "sqlite"
        self._plain = PlainConnections(self._engine) if sqlite else None
        self._writer = threading.Lock()
        self._writing_thread: int | None = None
        self._appended = threading.Condition()
        self._known_head = 0  # of what was appended or heard of here; the log may be longer
        self._looked_at = -math.inf
        self._newest = Newest()
        self._of_appended: list[Callable[[], None]] = []
        self._of_addressed: list[Callable[[], None]] = []
        self._bell = Doorbell(bells, self._hear) if bells else None
        self._closed = False
        try:
            self._create_tables()
        except StoreError:
            self.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[LogTransaction]:
        """All of the body or, when it raises, nothing of it."""
        with self._writing() as connection:
            transaction = LogTransaction(connection)
            yield transaction
            transaction.finish()
        if transaction.has_appended:
            self._newest.add(transaction.appended)
            others = transaction.begun_at > self._known_head  # have appended what nobody told of
            addressed = transaction.has_addressed or others
            self._wake(transaction.head(), addressed=addressed)
            if self._bell:
                self._bell.ring()

    def read(self, after: int = 0, limit: int = 1000) -> list[Entry]:
        """At most `limit` entries behind position `after`, in order of position."""
        return self._entries(statements.ENTRIES_AFTER, after=after, most=limit)

    def follow(self, after: int, limit: int = 1000) -> list[Entry]:
        """The next entries behind position `after`, for who asks again until there are none.

        What this process appended comes from memory: as long as it does, others' that are behind
        it do not.
        """
        self._check_open()
        return self._newest.after(after, limit) or self.read(after, limit)

    def places(self, after: int = 0, limit: int = 5000) -> list[Place]:
        """As `read`, without the events themselves: cheap for many."""
        with self._reading() as connection:
            rows = connection.execute(statements.PLACES_AFTER, {"after": after, "most": limit})
            return [Place(*row) for row in rows]

    def entry(self, event_id: str) -> Entry | None:
        return next(iter(self._entries(statements.ENTRY_OF_EVENT, event_id=event_id)), None)

    def stream(self, source: str, stream: str) -> list[Entry]:
        """Everything that one issuer said in one stream, in its own order."""
        query = statements.ENTRIES_OF_STREAM
        return self._entries(query, of_source=source, of_stream=stream)

    def job(self, job: str, after: int = 0) -> list[Entry]:
        """All streams of a job and what this party noted about it in private, behind a position."""
        return self._entries(statements.ENTRIES_OF_JOB, job=job, after=after)

    def said_since(self, source: str, kind: str, time: str) -> list[Entry]:
        """What one issuer said of one type, at this time or later."""
        query = statements.ENTRIES_OF_TYPE_SINCE
        return self._entries(query, of_source=source, of_type=kind, since=time)

    def said_after(self, source: str, kind: str, after: int) -> list[Entry]:
        """What one issuer said of one type, behind a position."""
        query = statements.ENTRIES_OF_TYPE_AFTER
        return self._entries(query, of_source=source, of_type=kind, after=after)

    def count_said(self, source: str, before: str) -> int:
        """How many shared events of one issuer are here that are dated earlier."""
        with self._reading() as connection:
            said = {"of_source": source, "before": before}
            return connection.scalar(statements.SHARED_BEFORE, said) or 0

    def stream_head(self, source: str, stream: str) -> StreamHead | None:
        with self._reading() as connection:
            return stream_head(connection, source, stream)

    def head(self) -> int:
        """The position of the newest entry; 0 for an empty log."""
        with self._reading() as connection:
            return connection.scalar(statements.HEAD) or 0

    @property
    def known_head(self) -> int:
        """As far as this process knows, without asking: of what it appended or was told of."""
        return self._known_head

    def cursor(self, name: str) -> int:
        """Where a pump has got to; 0 before its first move."""
        with self._reading() as connection:
            return connection.scalar(statements.CURSOR, {"of_name": name}) or 0

    def wait_for_entries(self, after: int, timeout: float) -> bool:
        """Whether the log goes beyond `after`, at the latest in `timeout` seconds.

        Wakes at once for appends of this Log and of those that share its bells, and before long
        for all others.
        """
        if self._bell:
            self._bell.listen()
        pause = POLL_SECONDS * (RARELY if self._bell else 1)
        give_up = time.monotonic() + timeout
        while self._known_head <= after:
            self._check_open()
            now = time.monotonic()
            remaining = give_up - now
            if (remaining <= 0 or now >= self._looked_at + pause) and self._look() > after:
                break
            if remaining <= 0:
                return False
            with self._appended:
                self._appended.wait_for(
                    lambda: self._known_head > after or self._closed, min(pause, remaining)
                )
        return True

    def when_appended(self, tell: Callable[[], None]) -> None:
        """Call this, on any thread, when the log has grown; `tell` has to be quick."""
        self._of_appended.append(tell)
        if self._bell:
            self._bell.listen()

    def when_addressed(self, tell: Callable[[], None]) -> None:
        """As `when_appended`, when an event may have come that is to be delivered.

        What another process appended may always be one.
        """
        self._of_addressed.append(tell)
        if self._bell:
            self._bell.listen()

    def pending_deliveries(self, limit: int = 100, after: Delivery | None = None) -> list[Delivery]:
        """What is still to be sent, in order of position; `after` goes on where a list ended."""
        position, recipient = (after.position, after.recipient) if after else (0, "")
        place = {"after_position": position, "after_recipient": recipient, "most": limit}
        with self._reading() as connection:
            pending = statements.DELIVERIES_AFTER
            rows = connection.execute(pending, {"of_state": "pending", **place})
            return [_delivery(row) for row in rows]

    def parked(self) -> list[Delivery]:
        """What was given up after too many attempts, with the last reason."""
        with self._reading() as connection:
            parked = connection.execute(statements.DELIVERIES_IN_STATE, {"of_state": "parked"})
            return [_delivery(row) for row in parked]

    def undelivered_counts(self) -> list[Undelivered]:
        """What is pending or parked: counted, not read."""
        with self._reading() as connection:
            return [Undelivered(*row) for row in connection.execute(statements.UNDELIVERED_COUNTS)]

    def type_counts(self, after: int, up_to: int) -> dict[tuple[str, str], int]:
        """Events by type and issuer at positions behind `after`, `up_to` included."""
        places = {"after": after, "up_to": up_to}
        with self._reading() as connection:
            rows = connection.execute(statements.TYPE_COUNTS_BETWEEN, places)
            return {(kind, source): count for kind, source, count in rows}

    def held(self, source: str, stream: str) -> list[HeldEnvelope]:
        """The waiting envelopes of one stream, in order of sequence."""
        place = {"of_source": source, "of_stream": stream}
        with self._reading() as connection:
            rows = connection.execute(statements.HELD_IN_STREAM, place)
            return [held_envelope(row) for row in rows]

    def held_streams(self) -> list[tuple[str, str]]:
        """Issuer and stream wherever something waits."""
        with self._reading() as connection:
            rows = connection.execute(statements.HELD_STREAMS)
            return [(row.source, row.stream) for row in rows]

    def kept_payloads(self, after: str = "", limit: int = 500) -> list[tuple[str, bytes]]:
        """Small payloads whose files may not be on the disk, by commitment: salt ‖ plaintext."""
        with self._reading() as connection:
            place = {"after": after, "most": limit}
            rows = connection.execute(statements.KEPT_PAYLOADS_AFTER, place)
            return [(commitment, bytes(salted)) for commitment, salted in rows]

    def kept_payload(self, commitment: str) -> bytes | None:
        """Salt ‖ plaintext of one that is still kept."""
        with self._reading() as connection:
            salted = connection.scalar(statements.KEPT_BYTES, {"of_commitment": commitment})
            return None if salted is None else bytes(salted)

    def refusals(self) -> list[Refusal]:
        with self._reading() as connection:
            return [Refusal(*row) for row in connection.execute(statements.ALL_REFUSALS)]

    def close(self) -> None:
        self._closed = True
        if self._bell:
            self._bell.close()
        self._wake(0)
        if self._plain is not None:
            self._plain.close()
        self._engine.dispose()

    def _wake(self, head: int, *, addressed: bool = True) -> None:
        """Whoever waits need not ask the database how far the log goes."""
        with self._appended:
            self._known_head = max(self._known_head, head)
            self._appended.notify_all()
        for tell in self._of_appended:
            tell()
        for tell in self._of_addressed if addressed else ():
            tell()

    def _hear(self) -> None:
        """A bell rang."""
        with suppress(StoreError):  # whoever waits looks for itself before long
            self._look()

    def _look(self) -> int:
        """The head, asked for again; who waits for it is woken."""
        self._looked_at = time.monotonic()
        head = self.head()
        if head > self._known_head:
            self._wake(head)
        return head

    def _entries(self, query: Select[int, bytes], **values: str | int) -> list[Entry]:
        with self._reading() as connection:
            rows = connection.execute(query, values)
            return [Entry(position, bytes(canonical)) for position, canonical in rows]

    @contextmanager
    def _reading(self) -> Iterator[Statements]:
        self._check_open()
        with database_failures(self._url):
            if self._plain is not None:
                with self._plain.reading() as plain:
                    yield plain
            else:
                with self._engine.connect() as connection:
                    try:
                        with connection.begin():
                            yield connection
                    finally:
                        if self._closed:
                            connection.detach()  # its pool is gone, and would not close it

    @contextmanager
    def _writing(self) -> Iterator[Statements]:
        self._check_open()
        if self._writing_thread == threading.get_ident():
            raise StoreBusyError("transactions do not nest: finish the one that is open")
        with self._writer, database_failures(self._url):
            self._writing_thread = threading.get_ident()
            try:
                if self._plain is not None:
                    with self._plain.writing() as plain:
                        yield plain
                else:
                    with self._engine.begin() as connection:
                        yield connection
            finally:
                self._writing_thread = None

    def _create_tables(self) -> None:
        with database_failures(self._url), self._engine.connect() as connection:
            connection.execution_options(writes=True)
            with connection.begin():
                create_tables(connection)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosedError("the log was closed: open it again")


def _delivery(row: Row[int, bytes, str, int, str | None]) -> Delivery:
    position, canonical, recipient, attempts, reason = row
    return Delivery(Entry(position, bytes(canonical)), recipient, attempts, reason)
