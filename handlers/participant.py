"""The participant: its own policy, its own data, encrypted scores out, masked gradients back."""

import hashlib

import numpy as np

from events.catalogue import Fact
from events.intersection import BlindedIdentifiersPosted, IntersectionsCounted
from events.lifecycle import (
    MessageRefused,
    TrainingAccepted,
    TrainingRequested,
    TrainingStopped,
    WorkFailed,
)
from events.models import ModelSaved
from events.predictions import PartialScoreReturned
from events.preparation import (
    DataSnapshotted,
    FeaturesPrepared,
    IdentifiersPosted,
    PublicKeyIssued,
    RowsAligned,
)
from events.rounds import (
    EncryptedResidualPosted,
    EncryptedScorePosted,
    MaskedResultDecrypted,
    RoundCompleted,
)
from handlers.alignment import join_handles
from handlers.answering import accept, answer_request, decline_without_data, keep_quota
from handlers.drafts import Decision, blob, draft, vector
from handlers.gradient import post_gradient
from handlers.handler import Reactions
from handlers.history import History
from handlers.identification import prepare_identification
from handlers.intersection import go_on_at_participant
from handlers.keys import degree_of, public_key
from handlers.leakage import check_leak_budget
from handlers.model import convert_own, save_model
from handlers.own import Own
from handlers.packing import encrypt_rows, ready_to_train
from handlers.prepared import own_snapshot
from handlers.preparing import own_handles, prepare
from handlers.refusals import give_up_when_refused
from handlers.scores import held_out_scores, training_scores
from handlers.training import update_parameters
from learning.residuals import score_spread, squared_scores
from paillier.ciphertexts import ciphertext_bytes, to_bytes


def post_identifiers_when_all_accepted(
    history: History, _fact: Fact[TrainingAccepted], own: Own
) -> Decision:
    """Keyed hashes leave only when nobody can decline any more; sorted, so order says nothing."""
    terms = history.terms
    if terms.alignment != "hash":
        return []
    if not history.has_from_all(TrainingAccepted, terms.asked):
        return []
    handles = sorted(own_handles(history, own))
    event = IdentifiersPosted(customers=len(own_snapshot(history, own).ids))
    payload = blob("handles", join_handles(handles), len(handles))
    return [draft(event, history.job, terms, payload)]


def prepare_features(history: History, _fact: Fact[RowsAligned], own: Own) -> Decision:
    return prepare(history, own)


def begin_training_when_ready(
    history: History, _fact: Fact[PublicKeyIssued] | Fact[FeaturesPrepared], own: Own
) -> Decision:
    if not ready_to_train(history):
        return []
    check_leak_budget(history, own)
    return _post_scores(history, own, 1)


def begin_next_round(history: History, fact: Fact[RoundCompleted], own: Own) -> Decision:
    return _post_scores(history, own, fact.event.round + 1)


def finish(history: History, _fact: Fact[TrainingStopped], own: Own) -> Decision:
    """Keep the half model; return the held-out rows' partial scores for the joint quality (S2)."""
    saved = [save_model(history, own), *prepare_identification(history, own)]
    held_out = history.one(RowsAligned).event.held_out_rows
    if not held_out:
        return saved
    scores = held_out_scores(history, own)
    returned = PartialScoreReturned(rows=held_out)
    return [*saved, draft(returned, history.job, history.terms, vector("scores", scores))]


def _post_scores(history: History, own: Own, number: int) -> Decision:
    """[[w Z]] of every training row, and its square where it is used, freshly encrypted (T4)."""
    scores, key = training_scores(history, own, number), public_key(history, own)
    powers, spread = scores, np.empty(0)
    if degree_of(history.terms) == 2:
        squares = squared_scores(scores)
        powers, spread = np.concatenate([scores, squares]), np.array([score_spread(squares)])
    digest = hashlib.sha256(powers.tobytes()).digest()
    generator = own.generator(history.job, "scores", number, key.key_id, digest)
    ciphertexts = encrypt_rows(history, own, powers, generator)
    payload = blob("scores", to_bytes(ciphertexts, key), len(ciphertexts), ciphertext_bytes(key))
    event = EncryptedScorePosted(round=number)
    return [draft(event, history.job, history.terms, payload, vector("spread", spread))]


REACTIONS: Reactions = {
    MessageRefused: give_up_when_refused,
    TrainingRequested: answer_request,
    IntersectionsCounted: keep_quota,
    DataSnapshotted: accept,
    WorkFailed: decline_without_data,
    TrainingAccepted: post_identifiers_when_all_accepted,
    BlindedIdentifiersPosted: go_on_at_participant,
    RowsAligned: prepare_features,
    PublicKeyIssued: begin_training_when_ready,
    FeaturesPrepared: begin_training_when_ready,
    RoundCompleted: begin_next_round,
    EncryptedResidualPosted: post_gradient,
    MaskedResultDecrypted: update_parameters,
    TrainingStopped: finish,
    ModelSaved: convert_own,
}
