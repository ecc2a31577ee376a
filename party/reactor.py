"""The react pump: one entry of the log at a time, what this party decides about it.

Handlers decide on the history up to exactly that entry; what they decided and the cursor enter the
log in one transaction. A crash anywhere before it repeats the entry, with the same result.
"""

from collections import deque
from collections.abc import Callable, Sequence

import structlog

from events.catalogue import CATALOGUE, Fact
from events.event import Event
from events.lifecycle import TrainingFailed, TrainingRequested, TrainingStopped
from events.vocabulary import Role
from handlers.drafts import Decision, Draft, Work, draft
from handlers.history import History
from handlers.own import Own
from party.appending import Causes, StoredDraft, append_draft, store_payloads
from party.faults import describe
from party.opening import Party
from party.pump import Pump
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

CURSOR = "react"
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
    """Runs the handlers of one party. One thread calls `step`."""

    def __init__(self, party: Party, decide: Decide) -> None:
        self._party = party
        self._decide = decide
        self.forget()

    def pump(self) -> Pump:
        return Pump("react", self.step, self.forget)

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
            self._page.extend(self._party.log.read(self._position, PAGE))
        if not self._page:
            return False
        self._react(self._page.popleft())
        return True

    def forget(self) -> None:
        """Nothing in memory that the log does not say: it is read again from the start."""
        self._position = 0
        self._saved: int | None = None
        self._page: deque[Entry] = deque()
        self._histories: dict[str, History] = {}
        self._private_causes: dict[str, str | None] = {}

    def _catch_up(self) -> None:
        """Fold what was reacted to before this process began."""
        if self._saved is not None:
            return
        cursor = self._party.log.cursor(CURSOR)
        while self._position < cursor:
            for entry in self._party.log.read(self._position, min(PAGE, cursor - self._position)):
                self._fold(entry)
                self._position = entry.position
        self._saved = cursor

    def _fold(self, entry: Entry) -> tuple[History, Fact[Event]]:
        fact = CATALOGUE.read(entry.envelope)
        history = self._histories.setdefault(fact.job, History(fact.job))
        history.add(fact)
        if entry.envelope.is_private:
            self._private_causes[entry.envelope.id] = entry.envelope.cause
        return history, fact

    def _react(self, entry: Entry) -> None:
        history, fact = self._fold(entry)
        role = history.terms.role_of(self._party.name) if history.is_known else None
        if role is not None:
            self._decide_and_append(entry, role, history, fact)
            if history.is_over or history.has(TrainingStopped):
                self._party.own.forget(history.job)
        self._position = entry.position

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
            detail = f"an internal error at {self._party.name}; its log file says more"
            failed = draft(
                TrainingFailed(code="internal", detail=detail), history.job, history.terms
            )
            self._append(entry, history, fact, [store_payloads(self._party, failed)])

    def _carry_out(self, item: Draft | Work, history: History) -> StoredDraft:
        """Everything that takes long, before the transaction."""
        if isinstance(item, Work):
            return do_work(item, self._party, history.terms)
        return store_payloads(self._party, item)

    def _append(
        self, entry: Entry, history: History, fact: Fact[Event], drafts: Sequence[StoredDraft]
    ) -> None:
        if not drafts:
            return  # the cursor is saved with the next decision, or when nothing else is to be done
        causes = self._causes(history, fact)
        with self._party.log.transaction() as transaction:
            for stored in drafts:
                append_draft(transaction, self._party, stored, causes, history.terms)
            transaction.move_cursor(CURSOR, entry.position)
        self._saved = entry.position

    def _causes(self, history: History, fact: Fact[Event]) -> Causes:
        """Others do not have this party's private events: they are told the nearest shared one."""
        shared: str | None = fact.envelope.id
        while shared in self._private_causes:
            shared = self._private_causes[shared]
        if shared is None:
            shared = history.one(TrainingRequested).envelope.id
        return Causes(shared=shared, private=fact.envelope.id, not_before=fact.envelope.time)

    def _save_cursor(self) -> None:
        if self._saved is not None and self._saved < self._position:
            with self._party.log.transaction() as transaction:
                transaction.move_cursor(CURSOR, self._position)
            self._saved = self._position
