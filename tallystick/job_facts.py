"""What a party's log says of one job, from the terms to the quality of the model."""

from functools import reduce
from pathlib import Path

from events.catalogue import CATALOGUE
from events.identification import PartyWeight, WeightsAnnounced
from events.lifecycle import (
    TrainingAccepted,
    TrainingDeclined,
    TrainingRequested,
    TrainingStopped,
    WorkFailed,
)
from events.models import ModelEvaluated
from events.preparation import DataPrepared, DataSnapshotted, FeaturesPrepared, RowsAligned
from events.rounds import LossRecorded
from events.terms import Terms
from events.vocabulary import Frozen, Role
from handlers.history import History
from handlers.packing import job_packing, ready_to_train
from handlers.prepared import NOTES
from party.opening import Party
from projections.jobs import Job, fold
from projections.projection import storable
from tallystick.errors import JobLookupError


class MemberFacts(Frozen):
    """A member, and what it answered. Customers and columns are None where it told none."""

    name: str
    role: str
    answer: str
    reason: str = ""
    customers: int | None = None
    columns: int | None = None


class RoundFacts(Frozen):
    """A round, by the measure of the party whose log it is."""

    round: int
    measure: str
    value: float


class JobFacts(Frozen):
    """One job as one party knows it; counts are None until they are known."""

    job: str
    state: str
    reason: str
    requested_by: str
    started: str | None
    ended: str | None
    members: tuple[MemberFacts, ...]
    rows: int | None = None
    training_rows: int | None = None
    held_out_rows: int | None = None
    rows_per_ciphertext: int | None = None
    rounds: int
    stopped: str | None = None
    weights: tuple[PartyWeight, ...] = ()
    measures: tuple[RoundFacts, ...]
    quality: ModelEvaluated | None = None
    model_file: Path | None = None
    notes: tuple[str, ...]
    terms: Terms


def job_facts(party: Party, job: str) -> JobFacts:
    """Raises JobLookupError when the log has no request of this job."""
    facts = [CATALOGUE.read(entry.envelope) for entry in party.log.job(job)]
    history = History(job, facts)
    if not history.is_known:
        raise JobLookupError(
            f"the log of {party.name} has no job {job}: `tally job list --as "
            f"{party.folder.path}` lists them"
        )
    state = reduce(fold, facts, Job(job))
    aligned = next((fact.event for fact in history.of(RowsAligned)), None)
    stopped = next((fact.event.reason for fact in history.of(TrainingStopped)), None)
    model_file = party.folder.models / f"{job}.json"
    return JobFacts(
        job=job,
        state=state.state,
        reason=state.reason,
        requested_by=state.requested_by,
        started=state.started,
        ended=state.ended,
        members=_members(history),
        rows=aligned.rows if aligned else None,
        training_rows=aligned.training_rows if aligned else None,
        held_out_rows=aligned.held_out_rows if aligned else None,
        rows_per_ciphertext=_rows_per_ciphertext(history),
        rounds=state.round,
        stopped=stopped,
        weights=tuple(one for fact in history.of(WeightsAnnounced) for one in fact.event.weights),
        measures=tuple(
            RoundFacts(round=one.event.round, measure=one.event.measure, value=one.event.value)
            for one in history.of(LossRecorded)
        ),
        quality=next((fact.event for fact in history.of(ModelEvaluated)), None),
        model_file=model_file if model_file.is_file() else None,
        notes=_notes(history, party),
        terms=history.terms,
    )


def _rows_per_ciphertext(history: History) -> int | None:
    """As the members counted it, once they could."""
    if not ready_to_train(history):
        return None
    packing = job_packing(history)
    return packing.rows_per_ciphertext if packing else 1


def unanswered(history: History) -> list[str]:
    """Members that have neither accepted nor declined yet."""
    return [
        name
        for name in history.terms.asked
        if not (
            history.has(TrainingAccepted, source=name) or history.has(TrainingDeclined, source=name)
        )
    ]


def _members(history: History) -> tuple[MemberFacts, ...]:
    requested = history.one(TrainingRequested).event
    members = []
    for member in history.terms.members:
        accepted = history.of(TrainingAccepted, source=member.name)
        declined = history.of(TrainingDeclined, source=member.name)
        prepared = history.of(FeaturesPrepared, source=member.name)
        answer, reason, customers = "no answer yet", "", None
        if member.role is Role.LOCAL:
            answer, customers = "asked for it", requested.customers
        elif member.role is Role.AUDITOR:
            answer = "watches"
        elif declined:
            answer, reason = "declined", storable(declined[0].event.reason)
        elif accepted:
            answer, customers = "accepted", accepted[0].event.customers or None
        members.append(
            MemberFacts(
                name=member.name,
                role=str(member.role),
                answer=answer,
                reason=reason,
                customers=customers,
                columns=prepared[0].event.columns if prepared else None,
            )
        )
    return tuple(members)


def _notes(history: History, party: Party) -> tuple[str, ...]:
    """What this party alone knows: how its columns were read, why its data could not be used."""
    notes: list[str] = []
    for fact in [*history.of(DataSnapshotted), *history.of(DataPrepared)]:
        notes += NOTES.validate_json(party.payloads.read(fact.payload("notes").commitment))
    notes += [f"{fact.event.work}: {fact.event.detail}" for fact in history.of(WorkFailed)]
    return tuple(dict.fromkeys(storable(note) for note in notes))
