"""What the two ways to align customers do and do not protect, for people (requirement A2)."""

from collections.abc import Mapping

from events.intersection import DoublyBlindedIdentifiersReturned, PeerIdentifiersBlinded
from events.terms import Alignment
from handlers.history import History
from handlers.posted import batches_of, customers_of

PROTECTION: Mapping[Alignment, str] = {
    "hash": "nobody outside learns a customer id; the bank and the partners, who share the key, "
    "could find each other's customers by trying all numbers",
    "mart": "the mart matches keyed hashes without their key, and delivers numbers without names; "
    "the bank learns which of its customers the mart has",
    "psi": "the bank learns which of its customers a partner has, a partner which of its own are "
    "common to all, nobody any other customer; sizes are known to all",
}


def alignment_progress(history: History) -> str:
    """How far an intersection is: of a million customers a side it takes minutes."""
    terms = history.terms
    if terms.alignment != "psi":
        return "waiting until the parties have found their common customers"
    own = len(terms.participants) * batches_of(customers_of(history, terms.local))
    others = sum(batches_of(customers_of(history, name)) for name in terms.participants)
    done = len(history.of(DoublyBlindedIdentifiersReturned))
    done += len(history.of(PeerIdentifiersBlinded))
    return f"comparing blinded identifiers: {done} of {own + others} batches"
