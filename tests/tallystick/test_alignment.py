"""What people are told of the alignment: what it protects, and how far it is (A2)."""

from typing import get_args

import pytest

from events.intersection import DoublyBlindedIdentifiersReturned, PeerIdentifiersBlinded
from events.terms import Alignment
from handlers import posted
from handlers.history import History
from paillier.keys import PrivateKey, generate_key_pair
from tallystick.alignment import PROTECTION, alignment_progress
from tests.handlers.conftest import federation_rows
from tests.simulation import Simulation, job_terms


@pytest.fixture(scope="module")
def key() -> PrivateKey:
    return generate_key_pair(512, minimum_bits=512)


def test_every_way_to_align_says_what_it_protects() -> None:
    assert PROTECTION.keys() == set(get_args(Alignment))


def test_an_intersection_tells_how_many_batches_are_compared(
    key: PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given 225 and 230 customers in batches of 100, three of each are blinded twice."""
    monkeypatch.setattr(posted, "IDENTIFIERS_PER_BATCH", 100)
    terms = job_terms(maximum_rounds=1, alignment="psi")
    facts = Simulation(terms, federation_rows(), key).run()["bank"].facts
    told = [
        alignment_progress(History("job-1", facts[: place + 1]))
        for place, fact in enumerate(facts)
        if isinstance(fact.event, (DoublyBlindedIdentifiersReturned, PeerIdentifiersBlinded))
    ]
    assert told == [f"comparing blinded identifiers: {done} of 6 batches" for done in range(1, 7)]


def test_other_alignments_are_waited_for(key: PrivateKey) -> None:
    facts = Simulation(job_terms(maximum_rounds=1), federation_rows(), key).run()["bank"].facts
    assert "common customers" in alignment_progress(History("job-1", facts))
