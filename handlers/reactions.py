"""Which handler answers which event, by kind of stream and role; checked at import."""

from collections.abc import Mapping

import structlog

from events.catalogue import CATALOGUE, Fact
from events.event import Event
from events.identifying import IdentificationRequested
from events.lifecycle import LONGEST_DETAIL, TrainingRequested, WorkFailed
from events.opening import Opening
from events.predictions import PredictionRequested
from events.rotation import KeyRotated
from events.vocabulary import Role
from events.witness import CheckpointPosted, LogRestored
from handlers import (
    arbiter,
    identification_arbiter,
    identifier,
    initiator,
    local,
    mart,
    participant,
    scorer,
)
from handlers.agreement import check_can_speak, common_versions
from handlers.conformance import check_conformance
from handlers.drafts import Decision, Draft, draft
from handlers.errors import JobError, ProtocolError, RegistryError
from handlers.handler import Reactions
from handlers.history import History
from handlers.own import Own
from handlers.witness import compare_checkpoint, end_restored

log = structlog.get_logger()

# Whoever speaks is a witness too, also of a job that is over.
WITNESSING: Reactions = {CheckpointPosted: compare_checkpoint, LogRestored: end_restored}

REACTIONS: Mapping[type[Opening], Mapping[Role, Reactions]] = {
    TrainingRequested: {
        Role.LOCAL: local.REACTIONS,
        Role.PARTICIPANT: participant.REACTIONS,
        Role.ARBITER: arbiter.REACTIONS,
        Role.MART: mart.REACTIONS,
        Role.AUDITOR: {},
    },
    PredictionRequested: {
        Role.LOCAL: {**scorer.REACTIONS, **initiator.REACTIONS},
        Role.PARTICIPANT: scorer.REACTIONS,
        Role.INITIATOR: initiator.REACTIONS,
        Role.AUDITOR: {},
    },
    IdentificationRequested: {
        Role.LOCAL: identifier.REACTIONS,
        Role.PARTICIPANT: identifier.REACTIONS,
        Role.ARBITER: identification_arbiter.REACTIONS,
        Role.AUDITOR: {},
    },
    KeyRotated: {role: {} for role in Role},
}

# Facts that are kept and shown, and that no role acts on.
ONLY_RECORDED = frozenset(
    {
        "TrainingFailed",
        "PredictionRejected",
        "PredictionCompleted",
        "ModelConverted",
        "ModelActivated",
        "ModelRetired",
        "ConsentRevoked",
        "FeaturesRefreshed",
        "PayloadsPruned",
        "LabelsShared",
        "IntersectionComputed",
        "RowsMatched",
        "DataPrepared",
        "ParametersUpdated",
        "LossRecorded",
        "ProbabilityRangeRecorded",
        "WeightsAnnounced",
        "ModelEvaluated",
        "CheckpointDisputed",
        "IdentificationRejected",
        "FinalLabelsRecorded",
        "ThresholdsCompared",
        "OwnEventsMissed",
        "KeyRotated",
    }
)


def decide(role: Role, history: History, fact: Fact[Event], own: Own) -> Decision:
    """What this party does about the last fact of the history.

    A job that is over is left alone, but for checkpoints; so is one in which this party's log was
    restored from a backup. A JobError becomes the stream's ending
    for all members, its private part an event that stays at home. After the stop, what does not
    belong is ignored. An auditor only listens.
    """
    silent = history.is_over or history.has(LogRestored, source=own.name)
    ended = silent and type(fact.event) not in WITNESSING
    if role is Role.AUDITOR or ended:
        return []
    reactions = {**REACTIONS[type(history.opening.event)][role], **WITNESSING}
    handler = reactions.get(type(fact.event))
    try:
        check_conformance(history, fact)
        check_can_speak(history, fact, own.name, own.speaks)
        if common_versions(history) is None:
            return []  # whoever asked says so
        return handler(history, fact, own) if handler else []
    except JobError as error:
        if history.is_over or (history.is_stopped and isinstance(error, ProtocolError)):
            log.warning("ignored_after_stop", job=history.job, detail=error.detail)
            return []
        log.warning("job_failed", job=history.job, code=error.code, detail=error.detail)
        return _failure(history, error)


def _failure(history: History, error: JobError) -> list[Draft]:
    terms = history.agreement
    failed = history.opening.event.ended(error.code, error.detail)
    drafts = [draft(failed, history.job, terms)]
    if error.private:
        noted = WorkFailed(job=history.job, work="prepare", detail=error.private[:LONGEST_DETAIL])
        drafts.append(draft(noted, history.job, terms))
    return drafts


def check_registry(
    types: Mapping[str, type[Event]],
    reactions: Mapping[type[Opening], Mapping[Role, Reactions]],
) -> None:
    """Raise RegistryError for a handler of an unknown event and for an event nobody handles."""
    by_role = [WITNESSING, *(role for roles in reactions.values() for role in roles.values())]
    handled = {kind.type_name() for by_type in by_role for kind in by_type}
    if unknown := handled - types.keys():
        raise RegistryError(f"handlers for events that are not in the catalogue: {sorted(unknown)}")
    if orphans := types.keys() - handled - ONLY_RECORDED:
        raise RegistryError(f"nobody handles {sorted(orphans)}, nor are they only recorded")


check_registry(CATALOGUE.types, REACTIONS)
