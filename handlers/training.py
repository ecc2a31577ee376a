"""A data party's part of a round: encrypted gradient, update, flag (requirements T6 to T9)."""

import hashlib

import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from events.catalogue import Fact
from events.preparation import DataPrepared, FeaturesPrepared, PublicKeyIssued, RowsAligned
from events.rounds import (
    EncryptedGradientPosted,
    EncryptedResidualPosted,
    LossRecorded,
    MaskedResultDecrypted,
    Measure,
    ParametersUpdated,
    StopFlagRaised,
)
from handlers.coding import gradient_values
from handlers.drafts import Decision, Draft, blob, draft, vector
from handlers.errors import JobError, ProtocolError
from handlers.history import History
from handlers.keys import encryptor, job_slot_bits, public_key, read_ciphertexts
from handlers.own import Own
from handlers.prepared import own_parameters, own_prepared
from handlers.preparing import own_labels
from handlers.scores import constant_of, training_scores_of
from learning.curvature import measure_curvature, measure_scaling, most_blocks
from learning.errors import LearningError
from learning.losses import own_loss
from learning.optimisers import (
    Update,
    descend,
    descend_preconditioned,
    safe_damping,
    safe_rate,
)
from learning.residuals import mean_gradient
from learning.stopping import StopRule, loss_is_flat, steps_are_small
from paillier.ciphertexts import ciphertext_bytes, to_bytes
from paillier.errors import PaillierError
from paillier.feature_blocks import gradient_by_workers
from paillier.gradient import one_hot_gradient
from paillier.masking import apply_masks, draw_masks, remove_masks
from paillier.ordinal import ordinal_gradient
from paillier.packing import pack, unpack

# Floats that enter an event are rounded, so that the last bits of a processor do not.
DIGITS = 12


def ready_to_train(history: History) -> bool:
    """The key is there and every data party has prepared its features."""
    return history.has(PublicKeyIssued) and history.has_from_all(
        FeaturesPrepared, history.terms.data_parties
    )


def post_gradient(history: History, fact: Fact[EncryptedResidualPosted], own: Own) -> Decision:
    """[[gX]], several columns a ciphertext, under a fresh uniform mask, for the arbiter (T6)."""
    key, number = public_key(history, own), fact.event.round
    rows = history.one(RowsAligned).event.training_rows
    residuals = read_ciphertexts(own.read(fact.payload("residuals")), key, fact.source, rows)
    gradient = _encrypted_gradient(history, own, residuals)
    packed = pack(gradient, job_slot_bits(history), key, own.threads)
    digest = hashlib.sha256(to_bytes(packed, key)).digest()
    generator = own.generator(history.job, "gradient", number, key.key_id, digest)
    obfuscators = encryptor(history, own).obfuscators(len(packed), generator, own.threads)
    masked = apply_masks(packed, _masks(history, own, fact, len(packed)), obfuscators, key)
    event = EncryptedGradientPosted(round=number, ciphertexts=len(masked))
    payload = blob("gradient", to_bytes(masked, key), len(masked), ciphertext_bytes(key))
    return [draft(event, history.job, history.terms, payload)]


def _encrypted_gradient(history: History, own: Own, residuals: list[mpz]) -> list[mpz]:
    """[[gX]] of every column; where some may be ordinal also the total, which they do not tell."""
    prepared, key = own_prepared(history, own), public_key(history, own)
    codes, layout = prepared.training_codes, prepared.layout
    if own.workers:
        variables = (codes, layout.bins, layout.ordinal)
        of_bins = gradient_by_workers(residuals, *variables, None, key, own.workers)
    else:
        of_bins = one_hot_gradient(residuals, codes, layout.bins, key, own.threads)
    if history.terms.coding == "one-hot":
        return of_bins
    return ordinal_gradient(of_bins, layout.bins, layout.ordinal, key)


def update_parameters(history: History, fact: Fact[MaskedResultDecrypted], own: Own) -> Decision:
    """Take the mask away, move the parameters, look at the loss, send the flag (T7 to T9)."""
    if fact.event.owner != own.name:
        return []
    terms, number = history.terms, fact.event.round
    residual = history.one(EncryptedResidualPosted, round=number)
    gradient = _own_gradient(history, own, fact, residual)
    try:
        update = _step(history, own, gradient, residual.event.slope, number)
        weights, velocity = update.parameters.weights, update.parameters.velocity
        value = _watched_value(history, own, update)
    except LearningError as error:
        raise JobError("diverged", f"{own.name}: {error}") from None
    updated = ParametersUpdated(job=history.job, round=number)
    measure: Measure = "loss" if terms.profile == "patent" else "predicted decrease"
    recorded = LossRecorded(job=history.job, round=number, measure=measure, value=value)
    return [
        draft(
            updated, history.job, terms, vector("weights", weights), vector("velocity", velocity)
        ),
        draft(recorded, history.job, terms),
        _flag(history, own, number, value),
    ]


def _own_gradient(
    history: History,
    own: Own,
    fact: Fact[MaskedResultDecrypted],
    residual: Fact[EncryptedResidualPosted],
) -> NDArray[np.float64]:
    """The mean gradient of the party's columns, float64[columns + 1]; the constant's is last."""
    prepared, key = own_prepared(history, own), public_key(history, own)
    rows = prepared.training_codes.shape[1]
    content, width = own.read(fact.payload("result")), -(-key.bits // 8)
    plaintexts = [
        int.from_bytes(content[at : at + width], "big") for at in range(0, len(content), width)
    ]
    try:
        masks = _masks(history, own, residual, len(plaintexts))
        packed = remove_masks(plaintexts, masks, key.n)
        values = gradient_values(history.terms, prepared.columns)
        sums = unpack(packed, job_slot_bits(history), values, key.n)
    except PaillierError as error:
        raise ProtocolError(
            f"the result from {fact.source} is not what was sent: {error}"
        ) from None
    columns, told = sums[: prepared.columns], sums[prepared.columns :]
    totals = prepared.layout.totals(columns) | set(told)
    if len(totals) != 1:
        raise ProtocolError(f"the result from {fact.source} contradicts itself between variables")
    return mean_gradient(columns, totals.pop(), residual.event.scale, rows)


def _step(
    history: History, own: Own, gradient: NDArray[np.float64], slope: float, number: int
) -> Update:
    terms, prepared = history.terms, own_prepared(history, own)
    rows = prepared.training_codes.shape[1]
    penalty = 1 / (terms.inverse_penalty * rows)
    parameters = own_parameters(history, own, after_round=number - 1)
    constant = constant_of(terms, own.name)
    features = [fact.event for fact in history.of(FeaturesPrepared)]
    if terms.profile == "patent":
        variables = sum(one.variables for one in features)
        steepest = 1.0 if terms.kind == "linear" else 0.25
        rate = safe_rate(variables, terms.optimiser.step, steepest)
        scaling = own.remember(
            ("scaling", history.job),
            lambda: measure_scaling(prepared.training_codes, prepared.layout, constant),
        )
        return descend(parameters, gradient, penalty, constant, rate, scaling)
    curvature = own.remember(
        ("curvature", history.job),
        lambda: measure_curvature(prepared.training_codes, prepared.layout, constant),
    )
    return descend_preconditioned(
        parameters,
        gradient,
        penalty,
        curvature,
        slope,
        damping=safe_damping(
            sum(most_blocks(one.columns) for one in features), terms.optimiser.step
        ),
        momentum=terms.optimiser.momentum,
    )


def _watched_value(history: History, own: Own, update: Update) -> float:
    """Patent: the loss of the party's own scores (T8). Default: the decrease the step promises."""
    terms = history.terms
    if terms.profile != "patent":
        return round(update.predicted_decrease, DIGITS)
    scores = training_scores_of(history, own, update.parameters.weights)
    return round(own_loss(scores, own_labels(history, own), terms.kind), DIGITS)


def _flag(history: History, own: Own, number: int, value: float) -> Draft:
    """Enc(1) when the party would stop, else Enc(0); in every round, so silence says nothing."""
    optimiser = history.terms.optimiser
    rule = StopRule(threshold=optimiser.stop_threshold, rounds=optimiser.stop_rounds)
    values = [fact.event.value for fact in history.of(LossRecorded)] + [value]
    calm = loss_is_flat if history.terms.profile == "patent" else steps_are_small
    key = public_key(history, own)
    flag = int(calm(values, rule))
    generator = own.generator(history.job, "flag", number, key.key_id, flag)
    ciphertext = encryptor(history, own).encrypt([flag], generator)
    payload = blob("flag", to_bytes(ciphertext, key), 1, ciphertext_bytes(key))
    return draft(StopFlagRaised(round=number), history.job, history.terms, payload)


def _masks(
    history: History, own: Own, residual: Fact[EncryptedResidualPosted], count: int
) -> list[int]:
    """Uniform in Z_n, fresh for these residuals and these codes; drawn again to take them away."""
    inputs = (
        residual.payload("residuals").commitment,
        history.one(DataPrepared).payload("codes").commitment,
    )
    key = public_key(history, own)
    generator = own.generator(history.job, "mask", residual.event.round, key.key_id, *inputs)
    return draw_masks(count, key.n, generator)
