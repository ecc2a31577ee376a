"""The arbiter: issues the key, opens masked sums, hears flags. It decides nothing about data.

It decrypts only what a round of a known job entitles a party to: the agreed number of values,
once (requirements T3, T7, T9).
"""

from events.catalogue import Fact
from events.identification import LossPosted
from events.lifecycle import (
    MessageRefused,
    TrainingAccepted,
    TrainingDeclined,
    TrainingFailed,
    TrainingRequested,
    TrainingStopped,
    WorkFailed,
)
from events.preparation import FeaturesPrepared, KeyPairGenerated, PublicKeyIssued
from events.rounds import (
    EncryptedGradientPosted,
    MaskedResultDecrypted,
    RoundCompleted,
    StopFlagRaised,
)
from handlers.agreement import to_be_told
from handlers.drafts import Decision, Draft, Work, blob, draft
from handlers.errors import ProtocolError
from handlers.handler import Reactions
from handlers.history import History
from handlers.identification import announce_weights
from handlers.keys import public_key, read_ciphertexts
from handlers.own import Own, secret_commitment
from handlers.packing import entitlement, job_packing, ready_to_train
from handlers.policy import refusal
from handlers.refusals import give_up_when_refused
from paillier.slot_cutting import cut_slots


def answer_request(history: History, fact: Fact[TrainingRequested], own: Own) -> Decision:
    terms = fact.event.terms
    if reason := refusal(terms, own.policy):
        return [draft(TrainingDeclined(reason=reason), history.job, terms)]
    accepted = TrainingAccepted(
        customers=0,
        secret_commitment=secret_commitment(own.secret, history.job),
        data_commitment=None,
        speaks=to_be_told(history, own.speaks),
    )
    return [draft(accepted, history.job, terms)]


def make_key_when_all_accepted(
    history: History, _fact: Fact[TrainingAccepted], _own: Own
) -> Decision:
    terms = history.terms
    if not history.has_from_all(TrainingAccepted, terms.asked):
        return []
    return [Work("key", history.job)]


def issue_public_key(history: History, fact: Fact[KeyPairGenerated], _own: Own) -> Decision:
    issued = PublicKeyIssued(
        key_id=fact.event.key_id,
        modulus=fact.event.modulus,
        obfuscator_base=fact.event.obfuscator_base,
    )
    return [draft(issued, history.job, history.terms)]


def report_failed_work(history: History, fact: Fact[WorkFailed], own: Own) -> Decision:
    detail = f"{own.name} could not make a key: {fact.event.detail}"
    return [draft(TrainingFailed(code="internal", detail=detail), history.job, history.terms)]


def decrypt_masked_gradient(
    history: History, fact: Fact[EncryptedGradientPosted], own: Own
) -> Decision:
    """Open what this owner is entitled to in this round, once that is known (T7)."""
    owner, current = fact.source, fact.event.round
    if not _round_is_open(history, current):
        raise ProtocolError(f"{owner} asks for decryption in round {current}, which is not open")
    return [_opened(history, fact, own)] if ready_to_train(history) else []


def decrypt_what_waited(history: History, _fact: Fact[FeaturesPrepared], own: Own) -> Decision:
    """Gradients may overtake what another party says of its columns; the last of it has come."""
    if not ready_to_train(history):
        return []
    return [_opened(history, fact, own) for fact in history.of(EncryptedGradientPosted)]


def _opened(history: History, fact: Fact[EncryptedGradientPosted], own: Own) -> Draft:
    """The plaintexts of an owner's ciphertexts, or of each only the slot it may see."""
    key, packing = public_key(history, own), job_packing(history)
    entitled = entitlement(history, fact.source)
    ciphertexts = read_ciphertexts(
        own.read(fact.payload("gradient")), key, fact.source, entitled.ciphertexts
    )
    plaintexts = own.private_key(key.key_id).decrypt_all(ciphertexts, own.threads)
    returned = cut_slots(plaintexts, packing) if packing else plaintexts
    width = entitled.returned_bytes
    content = b"".join(number.to_bytes(width, "big") for number in returned)
    result = MaskedResultDecrypted(
        round=fact.event.round, owner=fact.source, ciphertexts=len(returned)
    )
    payload = blob("result", content, len(returned), width, readers=(fact.source,))
    return draft(result, history.job, history.terms, payload)


def count_flags(history: History, fact: Fact[StopFlagRaised], own: Own) -> Decision:
    """Stop only when every flag is 1 in the same round, or at the limit of rounds (T9)."""
    terms, current = history.terms, fact.event.round
    if not _round_is_open(history, current):
        raise ProtocolError(f"{fact.source} sends a flag for round {current}, which is not open")
    flags = history.of(StopFlagRaised, round=current)
    if {flag.source for flag in flags} != set(terms.data_parties):
        return []
    raised = [_open_flag(history, flag, own) for flag in flags]
    if all(raised):
        stopped = TrainingStopped(round=current, reason="all flags raised")
        return [draft(stopped, history.job, terms)]
    if current >= terms.optimiser.maximum_rounds:
        stopped = TrainingStopped(round=current, reason="round limit")
        return [draft(stopped, history.job, terms)]
    return [draft(RoundCompleted(round=current), history.job, terms)]


def _round_is_open(history: History, number: int) -> bool:
    begun = number == 1 or history.has(RoundCompleted, round=number - 1)
    ended = history.has(RoundCompleted, round=number) or history.has(TrainingStopped)
    return begun and not ended


def _open_flag(history: History, flag: Fact[StopFlagRaised], own: Own) -> bool:
    key = public_key(history, own)
    ciphertexts = read_ciphertexts(own.read(flag.payload("flag")), key, flag.source, 1)
    value = own.private_key(key.key_id).decrypt(ciphertexts[0])
    if value not in {0, 1}:
        raise ProtocolError(f"the stop flag of {flag.source} is neither 0 nor 1")
    return value == 1


REACTIONS: Reactions = {
    MessageRefused: give_up_when_refused,
    TrainingRequested: answer_request,
    TrainingAccepted: make_key_when_all_accepted,
    KeyPairGenerated: issue_public_key,
    FeaturesPrepared: decrypt_what_waited,
    WorkFailed: report_failed_work,
    EncryptedGradientPosted: decrypt_masked_gradient,
    StopFlagRaised: count_flags,
    LossPosted: announce_weights,
}
