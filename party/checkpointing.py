"""The pump that gives the party's signed word on its own log, to all members of a job (D4).

When the party awaits nothing more of a job, at intervals while a job is under way, and once for
many predictions (party.unwitnessed), the root of the whole log goes to the job's members: from then
on no part of it can be rewritten unseen.
"""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from events.catalogue import Fact
from events.checkpoint import sign_checkpoint
from events.envelope import Envelope, digest_of
from events.event import Event
from events.identifying import (
    CustomersIdentified,
    CustomersScored,
    EncryptedProbabilitiesPosted,
    FinalLabelsRecorded,
    IdentificationRejected,
    IdentificationRequested,
    ModelRecalled,
    ThresholdsCompared,
)
from events.lifecycle import DeadlinePassed, MessageRefused, WorkFailed
from events.merkle import MerkleTree
from events.models import ModelActivated, ModelConverted, ModelRetired
from events.predictions import (
    PartialScoreReturned,
    PredictionCompleted,
    PredictionRejected,
    PredictionRequested,
)
from events.pruning import PayloadsPruned
from events.rotation import KeyRotated
from events.vocabulary import Role
from events.witness import CheckpointPosted, HeadSeen
from handlers.agreement import version_to_write
from handlers.drafts import draft
from handlers.history import History
from handlers.witness import LAST_EVENTS, has_ended, standing_checkpoints
from party.appending import Causes, StoredDraft, append_draft
from party.errors import RequestError
from party.faults import describe
from party.jobs import job_history
from party.opening import Party
from party.pump import Pump
from party.unwitnessed import ABOUT_LOGS, Unwitnessed
from store.entry import Entry
from store.errors import StoreError

PAGE = 5_000
PAUSE_SECONDS = 0.25  # as the views, it may lag
# What becomes of a model, and each prediction or identification, waits for the next checkpoint of a
# training or of many predictions: it covers the whole log.
OF_A_MODEL = {
    kind.type_name() for kind in (ModelConverted, ModelActivated, ModelRetired, PayloadsPruned)
}
WITHOUT_CHECKPOINTS = {
    kind.type_name()
    for kind in (
        PredictionRequested,
        PartialScoreReturned,
        PredictionRejected,
        PredictionCompleted,
        IdentificationRequested,
        CustomersScored,
        ModelRecalled,
        EncryptedProbabilitiesPosted,
        CustomersIdentified,
        FinalLabelsRecorded,
        ThresholdsCompared,
        IdentificationRejected,
        DeadlinePassed,
        MessageRefused,
        WorkFailed,
        KeyRotated,
    )
}

log = structlog.get_logger()


@dataclass
class _Job:
    """The newest event of a job that is no checkpoint, and what our own checkpoints cover."""

    newest: int = 0
    covered: int = 0
    looked_at: int = 0
    may_have_ended: bool = False
    since: datetime | None = None


class CheckpointKeeper:
    """Grows the tree with the log, a hash or two an event. One thread calls `step`."""

    def __init__(self, party: Party) -> None:
        self._party = party
        self._interval = timedelta(minutes=party.settings.checkpoint_minutes)
        self._forget()

    def pump(self) -> Pump:
        return Pump("checkpoints", self.step, self._forget, PAUSE_SECONDS)

    def step(self, timeout: float = 0.5, now: datetime | None = None) -> None:
        """Take in what is new, and post where a job has ended or an interval is over."""
        self.catch_up()
        if self._party.role is not Role.AUDITOR:
            moment = now or datetime.now(UTC)
            for name, job in list(self._jobs.items()):
                if job.newest > job.covered:
                    self._guarded(name, job, moment)
            for name in self._predictions.due(moment, self._interval):
                self._post_for_predictions(name)
        self._party.log.wait_for_entries(len(self._tree), timeout)

    def catch_up(self) -> None:
        while entries := self._party.log.read(len(self._tree), PAGE):
            for entry in entries:
                self._tree.append(entry.canonical)
                self._note(entry)

    def post(self, name: str) -> Fact[Event] | None:
        """Post a checkpoint to the members of a job; None when the log grew meanwhile.

        Raises RequestError where there is no such job.
        """
        history = job_history(self._party.log, name)
        if not history.is_known:
            raise RequestError(f"there is no job {name} in the log of {self._party.name}")
        if history.has(CheckpointPosted, source=self._party.name, size=len(self._tree)):
            return None  # said of another log, before a backup was restored: let this one grow
        posted = self._checkpoint(history)
        cause = self._newest_shared(name)
        stored = StoredDraft(draft(posted, name, history.agreement), ())
        with self._party.log.transaction() as transaction:
            if transaction.head() != len(self._tree):
                return None
            causes = Causes(shared=cause.id, not_before=cause.time)
            version = version_to_write(history)
            return append_draft(
                transaction, self._party, stored, causes, history.agreement, version
            )

    def _checkpoint(self, history: History) -> CheckpointPosted:
        party, tree = self._party, self._tree
        signed = sign_checkpoint(party.card, party.identity.signing, len(tree), tree.root())
        before = standing_checkpoints(history, party.name)
        since = max((one.size for one in before), default=0)
        heads = tuple(
            HeadSeen(
                source=source,
                sequence=fact.envelope.sequence,
                digest=digest_of(fact.envelope.canonical_bytes()),
            )
            for source, fact in sorted(history.heads().items())
        )
        return CheckpointPosted(
            origin=signed.checkpoint.origin,
            size=signed.size,
            root=signed.root.hex(),
            signature=base64.b64encode(signed.signature).decode(),
            since=since,
            consistency=tuple(one.hex() for one in tree.consistency(since)),
            heads=heads,
        )

    def _guarded(self, name: str, job: _Job, now: datetime) -> None:
        """A job that this software cannot follow must not keep the others waiting."""
        try:
            self._post_when_due(name, job, now)
        except StoreError:
            raise
        except Exception as fault:  # noqa: BLE001
            log.error("job_without_checkpoint", job=name, fault=describe(fault))  # noqa: TRY400
            job.covered = job.newest

    def _post_when_due(self, name: str, job: _Job, now: datetime) -> None:
        job.since = job.since or now
        due = now - job.since >= self._interval
        if not due and (job.looked_at == job.newest or not job.may_have_ended):
            return
        history = job_history(self._party.log, name)
        role = history.agreement.role_of(self._party.name) if history.is_known else None
        if role is None or not (due or has_ended(history, self._party.name)):
            job.looked_at = job.newest
        elif self.post(name) is not None:
            self.catch_up()

    def _post_for_predictions(self, name: str) -> None:
        try:
            if self.post(name) is not None:
                self.catch_up()
        except StoreError:
            raise
        except Exception as fault:  # noqa: BLE001
            log.error("job_without_checkpoint", job=name, fault=describe(fault))  # noqa: TRY400
            self._predictions.leave_out(name)

    def _note(self, entry: Entry) -> None:
        envelope = entry.envelope
        name = str(envelope.data.get("job", "")) if envelope.is_private else envelope.stream
        self._predictions.note(envelope, name)
        foreign = name not in self._jobs and envelope.type in WITHOUT_CHECKPOINTS | ABOUT_LOGS
        if foreign or envelope.type in OF_A_MODEL:
            return
        job = self._jobs.setdefault(name, _Job())
        if envelope.type not in ABOUT_LOGS:
            job.newest = entry.position
            job.may_have_ended = job.may_have_ended or envelope.type in LAST_EVENTS
        elif envelope.source == self._party.name and envelope.type == CheckpointPosted.type_name():
            job.covered, job.since = int(str(envelope.data["size"])), None

    def _newest_shared(self, name: str) -> Envelope:
        envelopes = (entry.envelope for entry in reversed(self._party.log.job(name)))
        return next(envelope for envelope in envelopes if not envelope.is_private)

    def _forget(self) -> None:
        self._tree = MerkleTree()
        self._predictions = Unwitnessed(self._party.name)
        self._jobs: dict[str, _Job] = {}
