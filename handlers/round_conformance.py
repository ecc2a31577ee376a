"""What the vectors of a round must look like (conformance of requirements T4 to T7)."""

from typing import Any

from events.catalogue import Fact
from events.rounds import (
    EncryptedGradientPosted,
    EncryptedResidualPosted,
    EncryptedScorePosted,
    MaskedResultDecrypted,
)
from handlers.errors import ProtocolError
from handlers.history import History
from handlers.keys import degree_of
from handlers.packing import entitlement, ready_to_train, vector_ciphertexts


def check_scores(history: History, fact: Fact[EncryptedScorePosted]) -> None:
    if ready_to_train(history):
        _check_length(fact, "scores", degree_of(history.terms) * vector_ciphertexts(history))


def check_residuals(history: History, fact: Fact[EncryptedResidualPosted]) -> None:
    if ready_to_train(history):
        _check_length(fact, "residuals", vector_ciphertexts(history))


def check_gradient(history: History, fact: Fact[EncryptedGradientPosted]) -> None:
    if ready_to_train(history):
        _check_length(fact, "gradient", entitlement(history, fact.source).ciphertexts)


def check_result(history: History, fact: Fact[MaskedResultDecrypted]) -> None:
    """No more was opened than the owner may have, and of each no more bytes than the slot has."""
    owner = fact.event.owner
    if owner not in history.terms.data_parties:
        raise ProtocolError(f"{fact.source} decrypts for {owner}, which has no data")
    if ready_to_train(history):
        entitled = entitlement(history, owner)
        _check_length(fact, "result", entitled.ciphertexts)
        if fact.payload("result").shape[1:] != (entitled.returned_bytes,):
            raise ProtocolError(f"{fact.source} returns more or less than {owner}'s own sums")


def _check_length(fact: Fact[Any], payload: str, expected: int) -> None:
    """Who reads the payload checks it too, and by then always knows what to expect."""
    announced = getattr(fact.event, "ciphertexts", expected)
    if fact.payload(payload).shape[:1] != (expected,) or announced != expected:
        raise ProtocolError(f"{fact.source} sends {payload} of other than {expected} ciphertexts")
