"""The react pump: one entry of the log at a time, what this party decides about it.

There is one for each track (party.tracks), with a cursor of its own.

Handlers decide on the history up to exactly that entry; what they decided and the cursor enter the
log in one transaction. A crash anywhere before it repeats the entry, with the same result.
"""

from collections import deque
from collections.abc import Callable, Sequence

import structlog

from events.catalogue import CATALOGUE, Fact
from events.envelope import Envelope
from events.event import Event
from events.vocabulary import Role
from events.witness import LogRestored
from handlers.agreement import version_to_write
from handlers.drafts import Decision, Draft, Work, draft
from handlers.history import History
from handlers.own import Own
from party.appending import Causes, StoredDraft, append_draft, store_payloads
from party.faults import describe
from party.opening import Party
from party.pump import Pump
from party.scoring_desk import ScoringDesk
from party.tracks import Track, Tracks, begin_tracks, job_of
from party.turns import LOOK_SECONDS, Turns
from party.work import do_work
from store.entry import Entry
from store.errors import (
    CursorConflictError,
    StoreBusyError,
    StoreClosedError,
    StoreFullError,
    StoreReadOnlyError,
    StoreUnreachableError,
)

CURSOR = Track.REGULAR
PAGE = 500

# Not the job's fault: wait and try again. Other errors of the store concern a payload.
STORE_FAILURES = (
    CursorConflictError,
    StoreBusyError,
    StoreClosedError,
    StoreFullError,
    StoreReadOnlyError,
    StoreUnreachableError,
)

Decide = Callable[[Role, History, Fact[Event], Own], Decision]

log = structlog.get_logger()


class Reactor:
    """Runs the handlers of one party on one track, or on all; for one thread at a time.

    A job whose history makes no sense is left alone until the next start; the others go on. What
    came before a restoration was decided before it, and is not decided a second time.
    """

    def __init__(self, party: Party, decide: Decide, track: Track | None = None) -> None:
        self._party = party
        self._track = track
        self._tracks = Tracks(party.jobs)
        self._cursor = track or CURSOR
        self._decide = decide
        self._left_alone: set[str] = set()
        self._desk = ScoringDesk(party)
        self._was_idle = False
        self.forget()

    def pump(self) -> Pump:
        return Pump(self._cursor, self.step, self.forget)

    def join(self, turns: Turns) -> Pump:
        """Work among the pumps that take turns."""
        pump = Pump(self._cursor, self.turn, self.forget, LOOK_SECONDS)
        self._party.log.when_appended(turns.add(pump))
        return pump

    def turn(self) -> bool:
        """React to the next entry, if there is one; whether there was."""
        is_told = bool(self._page) or self._party.log.known_head > self._position
        found = (is_told or self._was_idle) and self.step_once()
        if not found and self._was_idle:
            self._save_cursor()
        self._was_idle = not found
        return found

    def step(self, timeout: float = 0.2) -> None:
        """React to the next entry, waiting for one if there is none."""
        self._catch_up()
        if self._page or self._party.log.wait_for_entries(self._position, timeout):
            self.step_once()
        else:
            self._save_cursor()

    def step_once(self) -> bool:
        """React to the next entry; False when there is none."""
        self._catch_up()
        if not self._page:
            self._page.extend(self._party.log.follow(self._position, PAGE))
        if not self._page:
            return False
        self._react(self._page.popleft())
        return True

    def close(self) -> None:
        """Leave the engines; nobody calls `step` any more."""
        self._desk.close()

    def forget(self) -> None:
        """Nothing in memory that the log does not say."""
        self._position = 0
        self._saved: int | None = None
        self._page: deque[Entry] = deque()
        self._histories: dict[str, History] = {}
        self._settled: set[str] = set()
        self._restored: dict[str, int] = {}

    def _catch_up(self) -> None:
        """Go on behind what was reacted to before this process began."""
        if self._saved is None:
            if self._track is not None:
                begin_tracks(self._party.log)
            self._position = self._saved = self._party.log.cursor(self._cursor)
            restored = self._party.log.said_since(self._party.name, LogRestored.type_name(), "")
            self._restored = {one.envelope.stream: one.position for one in restored}

    def _history(self, job: str, before: int) -> History:
        """The job up to, and without, position `before`: from memory, or from the log.

        A job that is over or trained stays in memory only until another one has its turn.
        """
        for other in self._settled - {job}:
            self._histories.pop(other, None)
        self._settled &= {job}
        if job not in self._histories:
            entries = self._party.log.job(job)
            known = (CATALOGUE.read(one.envelope) for one in entries if one.position < before)
            self._histories[job] = History(job, known)
        return self._histories[job]

    def _react(self, entry: Entry) -> None:
        """A job that this software cannot follow must not keep the others waiting."""
        job = job_of(entry)
        is_ours = self._track is None or self._tracks.of(entry) is self._track
        if is_ours and job not in self._left_alone:
            try:
                self._follow(entry)
            except STORE_FAILURES:
                raise
            except Exception as fault:  # noqa: BLE001
                log.error("job_left_alone", job=job, fault=describe(fault))  # noqa: TRY400
                self._left_alone.add(job)
                self._histories.pop(job, None)
        self._position = entry.position

    def _follow(self, entry: Entry) -> None:
        fact = CATALOGUE.read(entry.envelope)
        history = self._history(fact.job, entry.position)
        history.add(fact)
        role = history.agreement.role_of(self._party.name) if history.is_known else None
        decided_before = entry.position < self._restored.get(fact.job, 0)
        if role is not None and not decided_before:
            self._decide_and_append(entry, role, history, fact)
            if history.is_settled_for(self._party.name):
                self._party.own.forget(history.job)
                self._settled.add(history.job)

    def _decide_and_append(
        self, entry: Entry, role: Role, history: History, fact: Fact[Event]
    ) -> None:
        """Decide, work, and append what came of it; a fault of ours ends the job, not the pump."""
        try:
            decision = self._decide(role, history, fact, self._party.own)
            stored = [self._carry_out(item, history) for item in decision]
            self._append(entry, history, fact, stored)
        except STORE_FAILURES:
            raise
        except Exception as fault:  # noqa: BLE001
            kind = fact.envelope.type
            told = describe(fault)
            log.error("handler_failed", job=history.job, type=kind, fault=told)  # noqa: TRY400
            if history.is_over or role is Role.AUDITOR:
                return
            detail = f"an internal error at {self._party.name}; its output says more"
            ended = history.opening.event.ended("internal", detail)
            failed = draft(ended, history.job, history.agreement)
            self._append(entry, history, fact, [store_payloads(self._party, failed)])

    def _carry_out(self, item: Draft | Work, history: History) -> StoredDraft:
        """Everything that takes long, before the transaction."""
        if isinstance(item, Work):
            return do_work(item, self._party, history, self._desk)
        return store_payloads(self._party, item)

    def _append(
        self, entry: Entry, history: History, fact: Fact[Event], drafts: Sequence[StoredDraft]
    ) -> None:
        if not drafts:
            return  # the cursor is saved with the next decision, or when nothing else is to be done
        causes, version = self._causes(history, fact), version_to_write(history)
        with self._party.log.transaction() as transaction:
            for stored in drafts:
                append_draft(transaction, self._party, stored, causes, history.agreement, version)
            transaction.move_cursor(self._cursor, entry.position)
        self._saved = entry.position

    def _causes(self, history: History, fact: Fact[Event]) -> Causes:
        """Others do not have this party's private events: they are told the nearest shared one."""
        nearest: Envelope | None = fact.envelope
        while nearest is not None and nearest.is_private:
            cause = self._party.log.entry(nearest.cause) if nearest.cause else None
            nearest = cause.envelope if cause else None
        shared = nearest or history.opening.envelope
        return Causes(shared=shared.id, private=fact.envelope.id, not_before=fact.envelope.time)

    def _save_cursor(self) -> None:
        if self._saved is not None and self._saved < self._position:
            with self._party.log.transaction() as transaction:
                transaction.move_cursor(self._cursor, self._position)
            self._saved = self._position
