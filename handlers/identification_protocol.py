"""The protocol of an identification (L1 to L3): a request, a posting a party, the labels."""

from typing import Any

from events.catalogue import Fact
from events.identifying import (
    CustomersIdentified,
    EncryptedProbabilitiesPosted,
    IdentificationRejected,
    IdentificationRequested,
)
from events.predictions import task_of
from handlers.errors import ProtocolError
from handlers.history import History
from handlers.identification_request import task_size
from handlers.protocol import WITNESSED, Protocol
from learning.identifying import SLOT_BITS
from paillier.packing import slots_of


def _check_request(_history: History, fact: Fact[IdentificationRequested]) -> None:
    terms = fact.event.terms
    sizes = {task_of(name): (task_size(terms),) for name in terms.asked} | {"rows": (terms.rows,)}
    for name, shape in sizes.items():
        if fact.payload(name).shape != shape:
            raise ProtocolError(f"{fact.source} asks for other rows than it says")


def _check_posted(history: History, fact: Fact[EncryptedProbabilitiesPosted]) -> None:
    """As many rows as were asked for, and as few ciphertexts as hold them."""
    rows = history.one(IdentificationRequested).event.terms.rows
    shape = fact.payload("probabilities").shape
    width = shape[-1] if len(shape) == 2 else 0
    ciphertexts = -(-rows // slots_of(8 * width // 2, SLOT_BITS)) if width > SLOT_BITS else 0
    if fact.event.rows != rows or fact.payload("handles").shape != (rows,):
        raise ProtocolError(f"{fact.source} posts other rows than were asked for")
    if shape != (ciphertexts, width):
        raise ProtocolError(f"{fact.source} posts other ciphertexts than the rows make")
    if history.has(IdentificationRejected, source=fact.source):
        raise ProtocolError(f"{fact.source} takes part in a request that it rejects")


def _check_identified(history: History, fact: Fact[CustomersIdentified]) -> None:
    """Labels of what was asked for, one a row, and nothing beside them that nobody asked for."""
    event, terms = fact.event, history.one(IdentificationRequested).event.terms
    told: tuple[Any, ...] = (event.model_id, event.purpose, event.tau, event.releases_scores)
    asked = (terms.model_id, terms.purpose, terms.tau, terms.release_scores)
    if told != asked or event.rows != terms.rows or event.known > terms.rows:
        raise ProtocolError(f"{fact.source} identifies others than were asked for")
    if (event.labelled is None) != (terms.tau is None) or (event.labelled or 0) > event.known:
        raise ProtocolError(f"{fact.source} labels more customers than all parties have")
    if any(reference.shape != (terms.rows,) for reference in fact.envelope.payloads):
        raise ProtocolError(f"{fact.source} sends labels of other rows than were asked for")


IDENTIFICATION = Protocol(
    name="an identification",
    events=frozenset(
        {
            IdentificationRequested,
            EncryptedProbabilitiesPosted,
            CustomersIdentified,
            IdentificationRejected,
            *WITNESSED,
        }
    ),
    said_once_per={
        **WITNESSED,
    },
    only_after={},
    content={
        IdentificationRequested: _check_request,
        EncryptedProbabilitiesPosted: _check_posted,
        CustomersIdentified: _check_identified,
    },
)
