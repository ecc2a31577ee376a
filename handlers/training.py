"""A data party's part of a round after its gradient: update and flag (requirements T7 to T9)."""

import numpy as np
from numpy.typing import NDArray

from events.catalogue import Fact
from events.preparation import FeaturesPrepared
from events.rounds import (
    EncryptedResidualPosted,
    LossRecorded,
    MaskedResultDecrypted,
    Measure,
    ParametersUpdated,
    StopFlagRaised,
)
from handlers.drafts import Decision, Draft, blob, draft, vector
from handlers.errors import JobError
from handlers.gradient import own_gradient
from handlers.history import History
from handlers.keys import public_key
from handlers.own import Own
from handlers.packing import encryptor
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
from learning.stopping import StopRule, loss_is_flat, steps_are_small
from paillier.ciphertexts import ciphertext_bytes, to_bytes

# Floats that enter an event are rounded, so that the last bits of a processor do not.
DIGITS = 12


def update_parameters(history: History, fact: Fact[MaskedResultDecrypted], own: Own) -> Decision:
    """Take the mask away, move the parameters, look at the loss, send the flag (T7 to T9)."""
    if fact.event.owner != own.name:
        return []
    terms, number = history.terms, fact.event.round
    residual = history.one(EncryptedResidualPosted, round=number)
    gradient = own_gradient(history, own, fact, residual)
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
