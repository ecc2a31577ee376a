"""A data party's part of an identification: may it, its encrypted probabilities, the labels.

Its scores are work: an engine of its own makes them. All that follows is decided here, so it can be
decided again: P, Norm(P), the ciphertexts, and who has which label (requirements L1 to L3).
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from events.catalogue import Fact
from events.identification import ProbabilityRangeRecorded
from events.identifying import (
    CustomersIdentified,
    CustomersScored,
    EncryptedProbabilitiesPosted,
    FinalLabelsRecorded,
    IdentificationRequested,
    ThresholdFigures,
    ThresholdsCompared,
)
from events.lifecycle import DeadlinePassed, MessageRefused, WorkFailed
from events.preparation import PublicKeyIssued
from handlers.drafts import Decision, Draft, Work, blob, draft, vector
from handlers.errors import JobError, ProtocolError
from handlers.handler import Reactions
from handlers.history import History
from handlers.identification_model import Objection, objection
from handlers.identification_request import issued_handles, requested
from handlers.own import Own
from handlers.refusals import reject_when_refused, rejection
from learning.errors import IdentificationError, QualityError
from learning.fixed_point import Integers
from learning.identifying import ABSENT, SLOT_BITS, UNKNOWN_SCORE, normalised, pack_values
from learning.sweep import sweep_figures
from paillier.ciphertexts import ciphertext_bytes, to_bytes
from paillier.encryption import Encryptor
from paillier.keys import PublicKey
from paillier.packing import slots_of


@dataclass(frozen=True)
class OwnRows:
    """The rows asked for: own ids (None: not here), scores on the grid, and their model's version.

    `outcomes` are float64[2, rows], labels and joint scores, where the local party sweeps.
    """

    customers: Sequence[str | None]
    scores: Integers
    version: int | None = None
    outcomes: NDArray[np.float64] = field(default_factory=lambda: np.empty((2, 0)))


# How many of these customers have had all the labels by this model that the policy allows.
Exhausted = Callable[[Sequence[str]], int]


def take_task(history: History, _fact: Fact[IdentificationRequested], _own: Own) -> Decision:
    return [Work("identify", history.job)]


def carry_out(
    history: History,
    own: Own,
    model: History,
    rows: Callable[[], OwnRows | Objection],
    exhausted: Exhausted,
) -> Draft:
    """The work on a request: refuse it, or say what the own rows are.

    `model` is what the log says under the model's id; `rows` scores, once nothing is objected to.
    """
    terms = requested(history)
    if told := objection(terms, model, own.policy):
        return rejection(history, *told)
    if terms.release_scores and not own.policy.release_scores:
        return rejection(history, "scores-not-released", f"{own.name} allows labels and no scores")
    found = rows()
    if not isinstance(found, OwnRows):
        return rejection(history, *found)
    if told := _objection_to_customers(history, own, found.customers, exhausted):
        return rejection(history, *told)
    key = model.one(PublicKeyIssued).event
    extremes = own.array(model.one(ProbabilityRangeRecorded).payload("range"), "f8")
    here = [one for one in found.customers if one is not None]
    scored = CustomersScored(
        job=history.job,
        model_id=terms.model_id,
        version=found.version,
        found=len(here),
        key_id=key.key_id,
        modulus=key.modulus,
        obfuscator_base=key.obfuscator_base,
    )
    customers = json.dumps(list(found.customers), ensure_ascii=False).encode()
    return draft(
        scored,
        history.job,
        terms,
        blob("customers", customers),
        vector("scores", found.scores),
        vector("range", extremes),
        vector("outcomes", found.outcomes),
    )


def post_probabilities(history: History, fact: Fact[CustomersScored], own: Own) -> Decision:
    """Norm(P) of every row, freshly encrypted for the arbiter (L1)."""
    terms, said = requested(history), fact.event
    key = PublicKey(n=int(said.modulus, 16), hs=int(said.obfuscator_base, 16))
    handles = issued_handles(history, own)
    here = np.array([one is not None for one in _customers(fact, own)])
    extremes = own.array(fact.payload("range"), "f8").tolist()
    try:
        values = normalised(own.array(fact.payload("scores"), "i8"), extremes)
    except IdentificationError as error:
        raise JobError("data", f"{own.name} cannot identify anybody: {error}") from None
    numbers = np.where(here, values, ABSENT)
    plaintexts = pack_values(numbers.tolist(), slots_of(key.bits, SLOT_BITS))
    digest = hashlib.sha256(handles + numbers.tobytes()).digest()
    generator = own.generator(history.job, "probabilities", key.key_id, digest)
    ciphertexts = Encryptor(key).encrypt(plaintexts, generator, own.threads)
    posted = EncryptedProbabilitiesPosted(rows=terms.rows, key_id=key.key_id)
    return [
        draft(
            posted,
            history.job,
            terms,
            blob("handles", handles, terms.rows),
            blob(
                "probabilities", to_bytes(ciphertexts, key), len(ciphertexts), ciphertext_bytes(key)
            ),
        )
    ]


def keep_labels(history: History, fact: Fact[CustomersIdentified], own: Own) -> Decision:
    """What was decided about each own customer; of a sweep, what thresholds are worth (L3)."""
    scored = history.of(CustomersScored)
    if not scored:
        raise ProtocolError(f"{fact.source} identifies customers without {own.name}")
    if fact.event.purpose == "sweep":
        return _swept(history, fact, scored[0], own)
    event, customers = fact.event, _customers(scored[0], own)
    labels = own.array(fact.payload("labels"), "i1")
    counts = Counter(labels.tolist())
    told = (event.known, event.labelled)
    if not counts.keys() <= {-1, 0, 1} or told != (event.rows - counts[0], counts[1]):
        raise ProtocolError(f"{fact.source} sends labels that are not those it counts")
    document = {
        "customers": customers,
        "labels": labels.tolist(),
        "scores": _released(fact, own),
    }
    recorded = FinalLabelsRecorded(
        job=history.job,
        model_id=event.model_id,
        version=scored[0].event.version or 1,
        tau=event.tau or 0.0,
        rows=event.rows,
        known=event.known,
        labelled=event.labelled or 0,
    )
    content = json.dumps(document, ensure_ascii=False).encode()
    return [draft(recorded, history.job, history.agreement, blob("labels", content))]


def unanswered(history: History) -> tuple[str, ...]:
    """The parties whose probabilities are not here; then the arbiter, until it has decided."""
    terms = requested(history)
    missing = tuple(
        name
        for name in terms.data_parties
        if not history.has(EncryptedProbabilitiesPosted, source=name)
    )
    decided = history.has(CustomersIdentified)
    return () if decided else missing or (terms.arbiter,)


def reject_at_deadline(history: History, _fact: Fact[DeadlinePassed], own: Own) -> Decision:
    waiting = unanswered(history)
    if not waiting or history.agreement.asker != own.name:
        return []  # the last answer came while the timer spoke
    return [rejection(history, "deadline", f"no answer in time from {', '.join(waiting)}")]


def reject_without_work(history: History, fact: Fact[WorkFailed], own: Own) -> Decision:
    if fact.event.work not in {"identify", "recall"}:
        return []
    detail = f"{own.name} cannot do its part; its operator finds the reason in its log"
    return [rejection(history, "data", detail)]


def _objection_to_customers(
    history: History, own: Own, customers: Sequence[str | None], exhausted: Exhausted
) -> Objection | None:
    here = [one for one in customers if one is not None]
    if len(set(here)) != len(here):
        return "data", f"{requested(history).requester} names a customer twice"
    if spent := exhausted(here):
        return "quota", (
            f"{own.name} lets each customer be labelled {own.policy.labels_per_customer} times by "
            f"one model, and {spent} of these have been (labels_per_customer in its [policy])"
        )
    return None


def _customers(fact: Fact[CustomersScored], own: Own) -> list[str | None]:
    customers: list[str | None] = json.loads(own.read(fact.payload("customers")))
    return customers


def _released(fact: Fact[CustomersIdentified], own: Own) -> list[int | None] | None:
    if not fact.event.releases_scores:
        return None
    scores: list[int] = own.array(fact.payload("scores"), "u1").tolist()
    return [None if score == UNKNOWN_SCORE else score for score in scores]


def _swept(
    history: History, fact: Fact[CustomersIdentified], scored: Fact[CustomersScored], own: Own
) -> Decision:
    if history.agreement.asker != own.name:
        return []
    outcomes, joint = own.array(scored.payload("outcomes"), "f8")
    try:
        figures = sweep_figures(own.array(fact.payload("levels"), "u1"), outcomes, joint)
    except QualityError as error:
        raise JobError("data", str(error)) from None
    points = tuple(ThresholdFigures(**point.model_dump()) for point in figures.points)
    swept = ThresholdsCompared(
        job=history.job,
        model_id=fact.event.model_id,
        rows=figures.rows,
        positives=figures.positives,
        auc=figures.auc,
        joint_auc=figures.joint_auc,
        points=points,
    )
    return [draft(swept, history.job, history.agreement)]


REACTIONS: Reactions = {
    IdentificationRequested: take_task,
    CustomersScored: post_probabilities,
    CustomersIdentified: keep_labels,
    WorkFailed: reject_without_work,
    DeadlinePassed: reject_at_deadline,
    MessageRefused: reject_when_refused,
}
