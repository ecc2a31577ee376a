"""What every member does about another one's checkpoint: compare it with what it holds itself."""

from events.catalogue import Fact
from events.envelope import digest_of
from events.lifecycle import TrainingFailed
from events.merkle import extends
from events.models import ModelEvaluated, ModelSaved
from events.predictions import PartialScoreReturned
from events.preparation import RowsAligned
from events.witness import CheckpointDisputed, CheckpointPosted, HeadSeen, LogRestored
from handlers.drafts import Decision, draft
from handlers.history import History
from handlers.own import Own

# A job ends for a party with one of these; which one depends on the job and the party.
LAST_EVENTS = frozenset(
    kind.type_name() for kind in (TrainingFailed, ModelSaved, PartialScoreReturned, ModelEvaluated)
)


def compare_checkpoint(history: History, fact: Fact[CheckpointPosted], own: Own) -> Decision:
    """Say for all members to hear, and for the log to keep, what does not fit."""
    detail = "" if fact.source == own.name else contradiction(history, fact)
    if not detail:
        return []
    disputed = CheckpointDisputed(issuer=fact.source, size=fact.event.size, detail=detail[:500])
    return [draft(disputed, history.job, history.agreement)]


def end_restored(history: History, fact: Fact[LogRestored], own: Own) -> Decision:
    """A member has lost what it noted in private: the party that asked ends the job for all."""
    asker = history.agreement.asker
    done = history.is_stopped and (fact.source != asker or history.has(ModelEvaluated))
    if own.name != asker or history.is_over or done:
        return []
    detail = (
        f"the log of {fact.source} was restored from a backup: what it decided since is lost; "
        "ask again under another name"
    )
    return [draft(history.opening.event.ended("internal", detail), history.job, history.agreement)]


def standing_checkpoints(
    history: History, source: str, before: int | None = None
) -> list[CheckpointPosted]:
    """What still counts of a party's checkpoints, up to an event of its stream.

    A restoration voids those that speak of more than what the backup had.
    """
    said: list[Fact[CheckpointPosted] | Fact[LogRestored]] = [
        *history.of(CheckpointPosted, source=source),
        *history.of(LogRestored, source=source),
    ]
    standing: list[CheckpointPosted] = []
    for fact in sorted(said, key=lambda one: one.envelope.sequence):
        if before is not None and fact.envelope.sequence >= before:
            break
        if isinstance(fact.event, LogRestored):
            size = fact.event.size
            standing = [one for one in standing if one.size <= size]
        else:
            standing.append(fact.event)
    return standing


def has_ended(history: History, name: str) -> bool:
    """Whether this party awaits nothing more of the job: time for a checkpoint."""
    if history.has(TrainingFailed):
        return True
    if not history.is_stopped:
        return False
    terms = history.terms
    measured = history.has(RowsAligned) and history.one(RowsAligned).event.held_out_rows > 0
    return (
        history.has_from_all(ModelSaved, terms.data_parties)
        and (not measured or history.has_from_all(PartialScoreReturned, terms.participants))
        and (not measured or name != terms.local or history.has(ModelEvaluated))
    )


def contradiction(history: History, fact: Fact[CheckpointPosted]) -> str:
    """In plain words; empty when everything fits that this history has."""
    event = fact.event
    before = standing_checkpoints(history, fact.source, fact.envelope.sequence)
    earlier = max(before, key=lambda one: one.size, default=None)
    if event.since != (earlier.size if earlier else 0):
        return f"{fact.source} says it gave another checkpoint before than the one known here"
    if earlier and not extends(
        earlier.size,
        bytes.fromhex(earlier.root),
        event.size,
        bytes.fromhex(event.root),
        [bytes.fromhex(one) for one in event.consistency],
    ):
        return f"the log of {fact.source} does not go on from its own checkpoint of {earlier.size}"
    for head in event.heads:
        if not _is_known_so(history, head):
            return (
                f"{fact.source} has another event {head.sequence} of {head.source} than stands here"
            )
    return ""


def _is_known_so(history: History, head: HeadSeen) -> bool:
    """What has not arrived yet contradicts nothing: the events after it are chained to it."""
    known = history.at(head.source, head.sequence)
    return known is None or digest_of(known.envelope.canonical_bytes()) == head.digest
