"""What a demo run amounts to: every figure of its table, as a document."""

from collections.abc import Mapping

import numpy as np
from pydantic import Field

from events.lifecycle import TrainingAccepted, TrainingRequested, TrainingStopped
from events.models import ModelEvaluated, Quality
from events.preparation import (
    DataSnapshotted,
    FeaturesPrepared,
    PublicKeyIssued,
    RowsAligned,
)
from events.vocabulary import Frozen
from handlers.history import History
from handlers.leakage import leakage
from handlers.prepared import NOTES, own_prepared, own_snapshot
from handlers.preparing import common_rows
from learning.errors import QualityError
from learning.layout import Layout
from learning.quality import logistic_quality
from learning.reference import pooled_reference
from party.jobs import job_history
from party.opening import Party
from tallystick.demo.identifying import IdentifiedCustomers
from tallystick.demo.scoring import ScoredBySql


class PartyFigures(Frozen):
    role: str
    customers: int | None
    features: int | None
    columns: int | None
    leak: float | None = Field(description="equations a row that this party could have received")
    events: int
    folder: str
    notes: tuple[str, ...] = Field(description="how the party's own columns were read")


class Summary(Frozen):
    """summary.json of a demo run."""

    data: str
    profile: str
    job: str
    broker: str
    key_bits: int
    participants: int
    rows_aligned: int
    training_rows: int
    held_out_rows: int
    rounds: int
    stopped: str
    seconds: float
    seconds_per_round: float
    auc_bank_alone: float | None
    auc_joint: float | None
    auc_pooled_reference: float | None
    ks_joint: float | None
    lift_joint: float | None
    log_loss_bank_alone: float | None
    log_loss_joint: float | None
    log_loss_pooled_reference: float | None
    events: int = Field(description="shared events of the job, as every member has them")
    parties: dict[str, PartyFigures]
    scored_by_sql: ScoredBySql | None = Field(default=None, description="held-out customers again")
    identified: IdentifiedCustomers | None = Field(default=None, description="patent profile")


def summarise(
    name: str, broker: str, job: str, parties: Mapping[str, Party], seconds: float, pace: float
) -> Summary:
    """Figures from the logs; the pooled reference is what only a demo can compute."""
    bank = parties["bank"]
    history = job_history(bank.log, job)
    terms = history.terms
    aligned = history.one(RowsAligned).event
    stopped = history.one(TrainingStopped).event
    alone, joint = _evaluated(history)
    pooled_auc, pooled_loss = _pooled(parties, job)
    return Summary(
        data=name,
        profile=terms.profile,
        job=job,
        broker=broker,
        key_bits=int(history.one(PublicKeyIssued).event.modulus, 16).bit_length(),
        participants=len(terms.participants),
        rows_aligned=aligned.rows,
        training_rows=aligned.training_rows,
        held_out_rows=aligned.held_out_rows,
        rounds=stopped.round,
        stopped=stopped.reason,
        seconds=round(seconds, 3),
        seconds_per_round=round(pace, 3),
        auc_bank_alone=alone.auc,
        auc_joint=joint.auc,
        auc_pooled_reference=pooled_auc,
        ks_joint=joint.ks,
        lift_joint=joint.lift,
        log_loss_bank_alone=alone.log_loss,
        log_loss_joint=joint.log_loss,
        log_loss_pooled_reference=pooled_loss,
        events=sum(not entry.envelope.is_private for entry in bank.log.job(job)),
        parties={name: _figures(party, job) for name, party in parties.items()},
    )


def _evaluated(history: History) -> tuple[Quality, Quality]:
    """The bank alone and jointly; no figure where nobody was held out."""
    for fact in history.of(ModelEvaluated):
        return fact.event.alone, fact.event.joint
    return Quality(), Quality()


def _figures(party: Party, job: str) -> PartyFigures:
    history = job_history(party.log, job)
    features = history.of(FeaturesPrepared, source=party.name)
    return PartyFigures(
        role=str(party.role),
        customers=_customers(party.name, history),
        features=features[0].event.variables if features else None,
        columns=features[0].event.columns if features else None,
        leak=round(leakage(history, party.name), 4) if features else None,
        events=party.log.head(),
        folder=str(party.folder.path),
        notes=_notes(party, history),
    )


def _notes(party: Party, history: History) -> tuple[str, ...]:
    for fact in history.of(DataSnapshotted):
        return NOTES.validate_json(party.own.read(fact.payload("notes")))
    return ()


def _customers(name: str, history: History) -> int | None:
    if requested := history.of(TrainingRequested, source=name):
        return requested[0].event.customers
    accepted = history.of(TrainingAccepted, source=name)
    return accepted[0].event.customers or None if accepted else None


def _pooled(parties: Mapping[str, Party], job: str) -> tuple[float | None, float | None]:
    """scikit-learn on everybody's columns in one table, with the same bins and penalty.

    None where no figure is defined: nobody is held out, or all have one label.
    """
    bank = parties["bank"]
    history = job_history(bank.log, job)
    terms = history.terms
    prepared = [
        own_prepared(job_history(parties[name].log, job), parties[name].own)
        for name in terms.data_parties
    ]
    rows = common_rows(history, bank.own)
    labels = np.asarray(own_snapshot(history, bank.own).label)[rows]
    held_out = prepared[0].held_out_mask
    scores = pooled_reference(
        np.vstack([one.codes for one in prepared]),
        Layout.joined(one.layout for one in prepared),
        labels,
        ~held_out,
        kind="logistic",
        inverse_penalty=terms.inverse_penalty,
    )
    try:
        quality = logistic_quality(scores[held_out], labels[held_out])
    except QualityError:
        return None, None
    return round(quality.auc, 9), round(quality.log_loss, 9)
