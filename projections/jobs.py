"""Jobs: where each one stands, as this party's log knows it (requirement D3)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Select,
    Table,
    Text,
    bindparam,
    insert,
    select,
    update,
)

from events.catalogue import Fact
from events.event import Event
from events.identifying import (
    CustomersIdentified,
    EncryptedProbabilitiesPosted,
    IdentificationRejected,
    IdentificationRequested,
)
from events.lifecycle import (
    TrainingAccepted,
    TrainingDeclined,
    TrainingRequested,
    TrainingStopped,
)
from events.models import ModelActivated, ModelConverted, ModelEvaluated, ModelRetired
from events.opening import Ending
from events.predictions import (
    PartialScoreReturned,
    PredictionCompleted,
    PredictionRejected,
    PredictionRequested,
)
from events.preparation import PublicKeyIssued
from events.rotation import KeyRotated
from events.terms import Agreement
from events.vocabulary import Role
from projections.projection import (
    METADATA,
    WHOLE_NUMBER,
    Payloads,
    Placed,
    Projection,
    storable,
)

THEN = "; then "
PROGRESS = ("requested", "accepted", "training", "stopped", "evaluated", "scored", "identified")
DONE = ("evaluated", "scored", "identified")
PREDICTION, IDENTIFICATION = "prediction", "identification"
# Of a model, whose training may be elsewhere, and of the party itself.
NOT_OF_A_JOB = (ModelConverted, ModelActivated, ModelRetired, KeyRotated)

JOB_ROWS = Table(
    "projection_jobs",
    METADATA,
    Column("job", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("round", WHOLE_NUMBER, nullable=False),
    Column("reason", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("profile", Text, nullable=False),
    Column("members", Text, nullable=False),
    Column("accepted", Text, nullable=False),
    Column("started", Text),
    Column("ended", Text),
)


@dataclass(frozen=True)
class Job:
    """A row; `members` and `accepted` are JSON lists of names.

    `state` is one of PROGRESS, or declined, cancelled, failed or rejected, which are final. What
    fails after the training stopped is told in `reason`: nothing undoes a trained model. Of a
    prediction `profile` is the way it is served, and `accepted` names whose scores are there; of an
    identification it is the purpose, and whose probabilities are there.
    """

    job: str
    state: str = "requested"
    round: int = 0
    reason: str = ""
    requested_by: str = ""
    kind: str = ""
    profile: str = ""
    members: str = "[]"
    accepted: str = "[]"
    started: str | None = None
    ended: str | None = None


# Built once: that takes longer than running them.
KNOWN = select(JOB_ROWS).where(JOB_ROWS.c.job.in_(bindparam("names", expanding=True)))
ADD = insert(JOB_ROWS)
CHANGE = (
    update(JOB_ROWS)
    .where(JOB_ROWS.c.job == bindparam("name"))
    .values({column: bindparam(column.name) for column in JOB_ROWS.columns})
)


def apply(connection: Connection, facts: Sequence[Placed], _payloads: Payloads) -> None:
    """Each job is read once and written once, however many facts there are of it."""
    told = [
        (name, fact)
        for _, fact in facts
        if (name := storable(fact.job)) and not isinstance(fact.event, NOT_OF_A_JOB)
    ]
    names = {name for name, _ in told}
    rows = connection.execute(KNOWN, {"names": sorted(names)}).mappings() if names else ()
    before = {row["job"]: Job(**row) for row in rows}
    after = dict(before)
    for name, fact in told:
        after[name] = fold(after.get(name) or Job(name), fact)
    if added := [vars(job) for name, job in after.items() if name not in before]:
        connection.execute(ADD, added)
    if changed := [job for name, job in before.items() if after[name] != job]:
        rows_now = [{**vars(after[job.job]), "name": job.job} for job in changed]
        connection.execute(CHANGE, rows_now)


def jobs() -> Select[*tuple[Any, ...]]:
    """All jobs, the oldest first."""
    return select(JOB_ROWS).order_by(JOB_ROWS.c.started, JOB_ROWS.c.job)


def trainings() -> Select[*tuple[Any, ...]]:
    """The jobs without predictions and identifications, which may be many."""
    return jobs().where(JOB_ROWS.c.kind.not_in([PREDICTION, IDENTIFICATION]))


def fold(job: Job, fact: Fact[Event]) -> Job:
    """The job after one more fact. Facts of different issuers may come in any order."""
    number = getattr(fact.event, "round", 0)
    job = replace(job, round=number) if number > job.round else job
    match fact.event:
        case TrainingRequested() if not job.requested_by:
            job = _with_answers(_requested(job, fact, fact.event))
        case TrainingAccepted():
            job = _with_answers(_answered(job, fact.source))
        case PublicKeyIssued():
            job = _reach(job, "training")
        case TrainingStopped(reason=reason):
            job = _reach(job, "stopped", fact, reason)
        case ModelEvaluated():
            job = _reach(job, "evaluated", fact, job.reason)
        case TrainingDeclined(reason=reason):
            job = _end(job, "declined", fact, f"{fact.source}: {reason}")
        case Ending(code=code, detail=detail):
            rejections = (PredictionRejected, IdentificationRejected)
            state = "rejected" if isinstance(fact.event, rejections) else "failed"
            state = code if code in {"declined", "cancelled"} else state
            job = _end(job, state, fact, f"{fact.source}: {code}: {detail}")
        case _:
            job = _fold_prediction(job, fact)
    return job


def _fold_prediction(job: Job, fact: Fact[Event]) -> Job:
    match fact.event:
        case PredictionRequested() if not job.requested_by:
            return _asked(job, fact, PREDICTION, fact.event.terms, fact.event.terms.way)
        case PartialScoreReturned() if job.kind == PREDICTION:
            return _with_scores(_answered(job, fact.source), fact)
        case PredictionCompleted():
            return _reach(job, "scored", fact)
    return _fold_identification(job, fact)


def _fold_identification(job: Job, fact: Fact[Event]) -> Job:
    match fact.event:
        case IdentificationRequested() if not job.requested_by:
            return _asked(job, fact, IDENTIFICATION, fact.event.terms, fact.event.terms.purpose)
        case EncryptedProbabilitiesPosted():
            return _answered(job, fact.source)
        case CustomersIdentified():  # whatever a timer said before
            return replace(job, state="identified", ended=fact.envelope.time, reason="")
    return job


def _requested(job: Job, fact: Fact[Event], event: TrainingRequested) -> Job:
    members = [m.name for m in event.terms.members if m.role is not Role.AUDITOR]
    return replace(
        job,
        requested_by=fact.source,
        kind=event.terms.kind,
        profile=event.terms.profile,
        members=json.dumps(members),
        started=fact.envelope.time,
    )


def _asked(job: Job, fact: Fact[Event], kind: str, terms: Agreement, way: str) -> Job:
    return replace(
        job,
        requested_by=fact.source,
        kind=kind,
        profile=way,
        members=json.dumps(list(terms.data_parties)),
        started=fact.envelope.time,
    )


def _answered(job: Job, name: str) -> Job:
    return replace(job, accepted=json.dumps(sorted({*json.loads(job.accepted), name})))


def _with_scores(job: Job, fact: Fact[Event]) -> Job:
    all_here = set(json.loads(job.members)) <= set(json.loads(job.accepted))
    return _reach(job, "scored", fact) if all_here else job


def _with_answers(job: Job) -> Job:
    """Accepted once every member but the one who asked has said so."""
    asked = set(json.loads(job.members)) - {job.requested_by}
    return _reach(job, "accepted") if asked and asked <= set(json.loads(job.accepted)) else job


def _reach(job: Job, state: str, fact: Fact[Event] | None = None, reason: str = "") -> Job:
    if job.state not in PROGRESS or PROGRESS.index(job.state) >= PROGRESS.index(state):
        return job
    ended = fact.envelope.time if fact else None
    return replace(job, state=state, ended=ended, reason=reason)


def _end(job: Job, state: str, fact: Fact[Event], reason: str) -> Job:
    if job.state not in PROGRESS or job.state in DONE:
        return job
    if job.state == "stopped":
        told = THEN in job.reason
        return job if told else replace(job, reason=storable(f"{job.reason}{THEN}{reason}"))
    return replace(job, state=state, ended=fact.envelope.time, reason=storable(reason))


JOBS = Projection("jobs", 4, (JOB_ROWS,), apply)
