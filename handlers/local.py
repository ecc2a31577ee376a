"""The local party: asks for the model, aligns the rows, forms the residual, measures the result."""

import hashlib

import numpy as np

from events.catalogue import Fact
from events.envelope import PayloadReference
from events.intersection import (
    BlindedIdentifiersPosted,
    DoublyBlindedIdentifiersReturned,
    PeerIdentifiersBlinded,
)
from events.lifecycle import (
    DeadlinePassed,
    MessageRefused,
    TrainingAccepted,
    TrainingDeclined,
    TrainingFailed,
    TrainingRequested,
    TrainingStopped,
)
from events.mart import IdentifiersMatched
from events.models import ModelSaved
from events.predictions import PartialScoreReturned
from events.preparation import (
    FeaturesPrepared,
    IdentifiersPosted,
    PublicKeyIssued,
    RowsAligned,
)
from events.rounds import (
    EncryptedResidualPosted,
    EncryptedScorePosted,
    MaskedResultDecrypted,
)
from events.terms import Terms
from events.vocabulary import Role
from handlers.agreement import offer
from handlers.alignment import common_handles, join_handles, rows_of, split_handles
from handlers.announcing import announce_rows, check_overlap
from handlers.awaited import awaited_by_training
from handlers.delivered import mart_handles, rows_in_mart
from handlers.drafts import Decision, Draft, blob, draft
from handlers.errors import JobError, ProtocolError
from handlers.evaluation import evaluate
from handlers.gradient import post_gradient
from handlers.handler import Reactions
from handlers.history import History
from handlers.identification import prepare_identification
from handlers.intersection import (
    begin_when_all_accepted,
    go_on_at_local,
    match_when_complete,
)
from handlers.keys import degree_of, public_key, read_ciphertexts, residual_of
from handlers.leakage import check_leak_budget
from handlers.model import convert_own, save_model
from handlers.own import Own, secret_commitment
from handlers.packing import encrypt_rows, ready_to_train, vector_ciphertexts
from handlers.prepared import own_snapshot
from handlers.preparing import own_handles, own_labels, prepare
from handlers.refusals import give_up_when_refused
from handlers.scores import training_scores
from handlers.training import update_parameters
from learning.errors import LearningError
from learning.residuals import LARGEST_LOG_ODDS, ResidualPlan, plan_residual
from paillier.ciphertexts import ciphertext_bytes, to_bytes
from paillier.residual import combine, multiply

ALIGNMENT_KEY_BYTES = 32
LONGEST_DETAIL = 1000


def training_request(
    terms: Terms, own: Own, customers: int, data: PayloadReference, job: str
) -> Draft:
    """The first shared event of a job; the operator's command asks for it, not a handler."""
    requested = TrainingRequested(
        terms=terms,
        customers=customers,
        secret_commitment=secret_commitment(own.secret, job),
        data_commitment=data.commitment,
        speaks=offer(terms, own.speaks),
    )
    size = ALIGNMENT_KEY_BYTES if terms.alignment == "hash" else 0
    key = own.generator(job, "alignment key", data.commitment).bytes(size)
    return draft(requested, job, terms, blob("alignment_key", key))


def give_up_when_declined(history: History, fact: Fact[TrainingDeclined], _own: Own) -> Decision:
    if len(history.of(TrainingDeclined)) > 1:
        return []
    detail = f"{fact.source} declined: {fact.event.reason}"
    return [draft(TrainingFailed(code="declined", detail=detail), history.job, history.terms)]


def give_up_at_deadline(history: History, _fact: Fact[DeadlinePassed], _own: Own) -> Decision:
    waiting = awaited_by_training(history)
    if not waiting:
        return []  # the last answer came while the timer spoke
    detail = f"no answer in time from {', '.join(waiting)}"[:LONGEST_DETAIL]
    return [draft(TrainingFailed(code="deadline", detail=detail), history.job, history.terms)]


def post_to_mart_when_all_accepted(history: History, own: Own) -> Decision:
    """Keyed hashes of the own customers, sorted, for the mart (A1)."""
    terms, ids = history.terms, own_snapshot(history, own).ids
    if not history.has_from_all(TrainingAccepted, terms.asked):
        return []
    handles = sorted(mart_handles(own, ids))
    payload = blob("handles", join_handles(handles), len(handles), readers=terms.named(Role.MART))
    return [draft(IdentifiersPosted(customers=len(ids)), history.job, terms, payload)]


def begin_alignment(history: History, fact: Fact[TrainingAccepted], own: Own) -> Decision:
    """With keyed hashes between the parties it is the participants that begin."""
    if history.terms.alignment == "mart":
        return post_to_mart_when_all_accepted(history, own)
    return begin_when_all_accepted(history, fact, own)


def align_with_mart(history: History, _fact: Fact[IdentifiersMatched], own: Own) -> Decision:
    """The mart has found the common rows; the local party says which are held out (A3)."""
    rows = rows_in_mart(history, own, own_snapshot(history, own).ids)
    check_overlap(len(rows), history, own)
    return announce_rows(history, own, rows, blob("handles", b""))


def align_when_all_posted(history: History, _fact: Fact[IdentifiersPosted], own: Own) -> Decision:
    """The rows that everybody has, in one order, and which of them are held out (A3)."""
    terms = history.terms
    posted = history.of(IdentifiersPosted)
    if terms.alignment != "hash" or {one.source for one in posted} != set(terms.participants):
        return []
    others = [_read_handles(fact, own) for fact in posted]
    own_order = own_handles(history, own)
    order = common_handles(own_order, others)
    check_overlap(len(order), history, own)
    handles = blob("handles", join_handles(order), len(order))
    return announce_rows(history, own, rows_of(order, own_order), handles)


def prepare_features(history: History, _fact: Fact[RowsAligned], own: Own) -> Decision:
    return prepare(history, own)


def check_budget_when_ready(
    history: History, _fact: Fact[PublicKeyIssued] | Fact[FeaturesPrepared], own: Own
) -> Decision:
    if ready_to_train(history):
        check_leak_budget(history, own)
    return post_residual_when_ready(history, 1, own)


def post_residual(history: History, fact: Fact[EncryptedScorePosted], own: Own) -> Decision:
    return post_residual_when_ready(history, fact.event.round, own)


def post_residual_when_ready(history: History, number: int, own: Own) -> Decision:
    """[[g]], from everybody's encrypted scores and the own ones in the clear (T5)."""
    terms = history.terms
    if not (
        ready_to_train(history)
        and history.has_from_all(EncryptedScorePosted, terms.participants, round=number)
    ):
        return []
    key, own_scores = public_key(history, own), training_scores(history, own, number)
    posted = [
        history.one(EncryptedScorePosted, source=name, round=number) for name in terms.participants
    ]
    length, degree = vector_ciphertexts(history), degree_of(terms)
    powers = [
        read_ciphertexts(own.read(fact.payload("scores")), key, fact.source, degree * length)
        for fact in posted
    ]
    spread = sum(_spread(fact, own) for fact in posted)
    try:
        labels = own_labels(history, own)
        plan = plan_residual(residual_of(terms), own_scores, labels, spread)
    except LearningError as error:
        raise JobError("diverged", f"{own.name}: {error}") from None
    weighted = [
        (multiply([power[:length] for power in powers], key, own.threads), plan.multipliers)
    ]
    if plan.square_multipliers is not None:
        squares = multiply([power[length:] for power in powers], key, own.threads)
        weighted.append((squares, plan.square_multipliers))
    generator = own.generator(history.job, "residuals", number, key.key_id, _inputs(plan, posted))
    additions = encrypt_rows(history, own, plan.additions, generator)
    residuals = combine(weighted, additions, key, own.threads)
    event = EncryptedResidualPosted(round=number, slope=plan.slope, scale=plan.scale)
    payload = blob("residuals", to_bytes(residuals, key), length, ciphertext_bytes(key))
    return [draft(event, history.job, terms, payload)]


def _inputs(plan: ResidualPlan, posted: list[Fact[EncryptedScorePosted]]) -> bytes:
    """A digest of everything that goes into the residuals: a synthetic nonce."""
    digest = hashlib.sha256(plan.additions.tobytes())
    digest.update(np.asarray(plan.multipliers).tobytes())
    if plan.square_multipliers is not None:
        digest.update(plan.square_multipliers.tobytes())
    for fact in posted:
        digest.update(fact.payload("scores").commitment.encode())
    return digest.digest()


def finish(history: History, _fact: Fact[TrainingStopped], own: Own) -> Decision:
    return [save_model(history, own), *prepare_identification(history, own)]


def evaluate_when_all_returned(
    history: History, _fact: Fact[PartialScoreReturned] | Fact[ModelSaved], own: Own
) -> Decision:
    terms = history.terms
    if not (
        history.has(ModelSaved, source=own.name)
        and history.has_from_all(PartialScoreReturned, terms.participants)
    ):
        return []
    return [evaluate(history, own)]


def use_model(history: History, fact: Fact[ModelSaved], own: Own) -> Decision:
    return [*convert_own(history, fact, own), *evaluate_when_all_returned(history, fact, own)]


def _read_handles(fact: Fact[IdentifiersPosted], own: Own) -> list[bytes]:
    handles = split_handles(own.read(fact.payload("handles")))
    if len(handles) != fact.event.customers or len(set(handles)) != len(handles):
        raise ProtocolError(f"{fact.source} posted handles that repeat, or not as many as it said")
    return handles


def _spread(fact: Fact[EncryptedScorePosted], own: Own) -> float:
    """What the participant says about the size of its scores; between 0 and what they may be."""
    told: list[float] = own.array(fact.payload("spread"), "f8").tolist()
    if any(not 0 <= value <= LARGEST_LOG_ODDS**2 for value in told):
        raise ProtocolError(f"{fact.source} tells a spread of its scores that cannot be")
    return sum(told)


REACTIONS: Reactions = {
    MessageRefused: give_up_when_refused,
    TrainingDeclined: give_up_when_declined,
    DeadlinePassed: give_up_at_deadline,
    TrainingAccepted: begin_alignment,
    IdentifiersMatched: align_with_mart,
    BlindedIdentifiersPosted: go_on_at_local,
    PeerIdentifiersBlinded: match_when_complete,
    DoublyBlindedIdentifiersReturned: match_when_complete,
    IdentifiersPosted: align_when_all_posted,
    RowsAligned: prepare_features,
    PublicKeyIssued: check_budget_when_ready,
    FeaturesPrepared: check_budget_when_ready,
    EncryptedScorePosted: post_residual,
    EncryptedResidualPosted: post_gradient,
    MaskedResultDecrypted: update_parameters,
    TrainingStopped: finish,
    ModelSaved: use_model,
    PartialScoreReturned: evaluate_when_all_returned,
}
