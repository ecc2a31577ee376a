"""The arbiter of an identification: decrypts, combines, compares, and tells labels (L2, L3).

F and the parties' probabilities stay here: no event or payload holds them, but for F with two
digits where the request asks for it and every party with data has agreed by posting at all.
"""

import numpy as np

from events.catalogue import Fact
from events.identification import WeightsAnnounced
from events.identifying import (
    CustomersIdentified,
    EncryptedProbabilitiesPosted,
    IdentificationRequested,
    IdentificationTerms,
    ModelRecalled,
)
from events.lifecycle import MessageRefused, WorkFailed
from events.preparation import PublicKeyIssued
from handlers.alignment import HANDLE_BYTES
from handlers.drafts import Decision, Draft, Payload, Work, draft, vector
from handlers.errors import ProtocolError
from handlers.handler import Reactions
from handlers.history import History
from handlers.identification_model import objection
from handlers.identification_request import issued_handles, requested
from handlers.identifier import reject_without_work
from handlers.keys import read_ciphertexts
from handlers.own import Own
from handlers.refusals import reject_when_refused, rejection
from learning.fixed_point import Integers
from learning.identifying import (
    ABSENT,
    LABELLED,
    SLOT_BITS,
    UNKNOWN,
    UNKNOWN_SCORE,
    hundredths,
    is_probability,
    joint,
    label,
    level,
)
from paillier.errors import PaillierError
from paillier.packing import slots_of, unpack


def take_request(history: History, _fact: Fact[IdentificationRequested], _own: Own) -> Decision:
    return [Work("recall", history.job)]


def recall(history: History, own: Own, model: History) -> Draft:
    """The work: what the training's stream says of the key and the weights, or a refusal."""
    terms = requested(history)
    if told := objection(terms, model, own.policy):
        return rejection(history, *told)
    recalled = ModelRecalled(
        job=history.job,
        model_id=terms.model_id,
        key_id=model.one(PublicKeyIssued).event.key_id,
        weights=model.one(WeightsAnnounced).event.weights,
    )
    return draft(recalled, history.job, terms)


def identify_when_all_posted(
    history: History, _fact: Fact[EncryptedProbabilitiesPosted] | Fact[ModelRecalled], own: Own
) -> Decision:
    """F = (sum of weight x Norm(P) + epsilon) / parties, and 1 where it is above tau (L2, L3)."""
    terms, recalled = requested(history), history.of(ModelRecalled)
    if not recalled or not history.has_from_all(EncryptedProbabilitiesPosted, terms.data_parties):
        return []
    weights = {one.party: one.weight for one in recalled[0].event.weights}
    parts = [
        _opened(history, history.one(EncryptedProbabilitiesPosted, source=name), own)
        for name in weights
    ]
    known = np.all([part != ABSENT for part in parts], axis=0)
    totals = joint([part[known] for part in parts], list(weights.values()))
    return [_told(history, terms, known, totals)]


def _opened(history: History, fact: Fact[EncryptedProbabilitiesPosted], own: Own) -> Integers:
    """One party's normalised probabilities, int64[rows], ABSENT where it lacks the customer.

    Raises ProtocolError: other rows than were issued, another key, or no probabilities.
    """
    terms, source = requested(history), fact.source
    private = own.private_key(history.one(ModelRecalled).event.key_id)
    if fact.event.key_id != private.public.key_id:
        raise ProtocolError(f"{source} encrypts under another key than the model's")
    _check_handles(history, fact, own)
    slots = slots_of(private.public.bits, SLOT_BITS)
    content = own.read(fact.payload("probabilities"))
    ciphertexts = read_ciphertexts(content, private.public, source, -(-terms.rows // slots))
    plaintexts = private.decrypt_all(ciphertexts, own.threads)
    try:
        values = unpack(plaintexts, SLOT_BITS, terms.rows, private.public.n)
    except PaillierError:
        raise _no_probabilities(source) from None
    numbers = np.array(values, np.int64)
    if not is_probability(numbers).all():
        raise _no_probabilities(source)
    return numbers


def _check_handles(history: History, fact: Fact[EncryptedProbabilitiesPosted], own: Own) -> None:
    issued, posted = issued_handles(history, own), own.read(fact.payload("handles"))
    if posted == issued:
        return
    pieces = [set(np.frombuffer(one, f"V{HANDLE_BYTES}").tolist()) for one in (issued, posted)]
    if pieces[1] - pieces[0]:
        raise ProtocolError(f"{fact.source} posts a handle that was never issued")
    raise ProtocolError(f"{fact.source} posts the rows in another order, or one of them twice")


def _no_probabilities(source: str) -> ProtocolError:
    return ProtocolError(f"{source} posts probabilities outside [0, 1]")


def _told(
    history: History, terms: IdentificationTerms, known: np.ndarray, totals: list[int]
) -> Draft:
    parties = len(terms.data_parties)
    payloads: list[Payload] = []
    labelled = None
    if terms.tau is None:
        levels = np.zeros(len(known), np.uint8)
        levels[known] = [level(total, parties) for total in totals]
        payloads.append(vector("levels", levels))
    else:
        labels = np.full(len(known), UNKNOWN, np.int8)
        labels[known] = [label(total, terms.tau, parties) for total in totals]
        labelled = int((labels == LABELLED).sum())
        payloads.append(vector("labels", labels))
    if terms.release_scores:
        scores = np.full(len(known), UNKNOWN_SCORE, np.uint8)
        scores[known] = [hundredths(total, parties) for total in totals]
        payloads.append(vector("scores", scores))
    identified = CustomersIdentified(
        model_id=terms.model_id,
        purpose=terms.purpose,
        tau=terms.tau,
        rows=terms.rows,
        known=int(known.sum()),
        labelled=labelled,
        releases_scores=terms.release_scores,
    )
    return draft(identified, history.job, terms, *payloads)


REACTIONS: Reactions = {
    IdentificationRequested: take_request,
    ModelRecalled: identify_when_all_posted,
    EncryptedProbabilitiesPosted: identify_when_all_posted,
    WorkFailed: reject_without_work,
    MessageRefused: reject_when_refused,
}
