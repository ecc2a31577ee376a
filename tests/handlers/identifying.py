"""Identifications that tests look at: a training of the patent profile, and requests about it."""

from typing import Any

from events.catalogue import Fact
from events.event import Event
from events.identifying import IdentificationRejected
from paillier.keys import PrivateKey
from tests.handlers.conftest import federation_rows
from tests.identification_simulation import (
    IdentificationSimulation,
    identification_terms,
    known_customers,
)
from tests.simulation import Simulation, job_terms


def trained(participants: int, key: PrivateKey, **changes: Any) -> Simulation:
    """By the patent profile, unless told otherwise."""
    fields = {"profile": "patent", "maximum_rounds": 2, **changes}
    terms = job_terms(participants, **fields)
    return Simulation(terms, federation_rows(participants), key, seed=participants).run()


def customers_of(model: Simulation) -> list[str]:
    """Whom every party has."""
    return list(known_customers(model["bank"]).scores)


def outcomes_of(model: Simulation) -> dict[str, float]:
    """What the bank knows of its customers: -1 or 1."""
    rows = model["bank"].rows
    assert rows is not None
    assert rows.label is not None
    return dict(zip(rows.ids, rows.label.tolist(), strict=True))


def identify(
    model: Simulation, customers: list[str], seed: int = 0, **terms: Any
) -> IdentificationSimulation:
    """One request, to its end."""
    asked = identification_terms(model, len(customers), **terms)
    federation = IdentificationSimulation(model, asked, seed).ask(customers)
    federation.settle()
    return federation


def rejected(federation: IdentificationSimulation, at: str = "bank") -> tuple[str, str]:
    """Code and detail of the first rejection in a party's log."""
    event = fact_of(federation, at, IdentificationRejected).event
    return event.code, event.detail


def fact_of(
    federation: IdentificationSimulation, at: str, kind: type[Event], source: str | None = None
) -> Fact[Any]:
    """The first such fact in a party's log."""
    history = federation[at].history
    assert history is not None
    return history.of(kind, source=source)[0]
