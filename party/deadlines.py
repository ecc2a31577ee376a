"""The timer of the party that asks: a stream whose members do not answer in time ends by name.

A timer is not pure, so what it says enters the log first (DeadlinePassed); the handler decides.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import structlog

from events.catalogue import CATALOGUE
from events.lifecycle import DeadlinePassed
from events.opening import Opening
from events.predictions import PredictionCompleted
from handlers.awaited import awaited
from handlers.drafts import draft
from party.appending import Causes, StoredDraft, append_draft
from party.faults import describe
from party.jobs import job_history
from party.opening import Party
from party.pump import Pump
from store.entry import Entry
from store.errors import StoreError

PAUSE_SECONDS = 0.25  # a moment late is in time

log = structlog.get_logger()


class DeadlineKeeper:
    """Watches the jobs that this party asked for. One thread calls `step`."""

    def __init__(self, party: Party) -> None:
        self._party = party
        self._position = 0
        self._due: dict[str, datetime] = {}

    def pump(self) -> Pump:
        return Pump("deadlines", self.step, self._forget, PAUSE_SECONDS)

    def step(self, timeout: float = 0.5, now: datetime | None = None) -> None:
        """Note new requests, let those go that are answered, and say which deadline passed."""
        for entry in self._party.log.read(self._position):
            self._position = entry.position
            if entry.envelope.source == self._party.name:
                self._guarded(entry.envelope.stream, partial(self._note, entry))
        moment = now or datetime.now(UTC)
        for job in [job for job, due in self._due.items() if due <= moment]:
            del self._due[job]
            self._guarded(job, partial(self._say, job))
        self._party.log.wait_for_entries(self._position, timeout)

    def _guarded(self, job: str, step: Callable[[], None]) -> None:
        """A job that this software cannot follow must not keep the others from their deadlines."""
        try:
            step()
        except StoreError:
            raise
        except Exception as fault:  # noqa: BLE001
            log.error("job_without_deadline", job=job, fault=describe(fault))  # noqa: TRY400

    def _note(self, entry: Entry) -> None:
        if entry.envelope.type == PredictionCompleted.type_name():
            self._due.pop(str(entry.envelope.data["job"]), None)
        kind = CATALOGUE.types.get(entry.envelope.type)
        if kind is None or not issubclass(kind, Opening):
            return
        event = CATALOGUE.read(entry.envelope).event
        if isinstance(event, Opening):
            asked = datetime.fromisoformat(entry.envelope.time)
            self._due[entry.envelope.stream] = asked + event.terms.patience

    def _say(self, job: str) -> None:
        history = job_history(self._party.log, job)
        terms, waiting = history.agreement, awaited(history)
        if history.is_over or history.has(DeadlinePassed) or not waiting:
            return
        passed = draft(DeadlinePassed(job=history.job, waiting_for=waiting), history.job, terms)
        opening = history.opening.envelope
        causes = Causes(private=opening.id, not_before=opening.time)
        with self._party.log.transaction() as transaction:
            append_draft(transaction, self._party, StoredDraft(passed, ()), causes, terms)

    def _forget(self) -> None:
        self._position = 0
        self._due.clear()
