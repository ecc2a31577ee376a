"""A federation of three parties, opened and closed around each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.memory import MemoryBroker
from party.opening import Party
from tests.party.attack import Scene
from tests.party.federation import Node, make_federation, request


@pytest.fixture
def parties(tmp_path: Path) -> Iterator[dict[str, Party]]:
    made = make_federation(tmp_path)
    yield made
    for party in made.values():
        party.close()


@pytest.fixture
def scene(parties: dict[str, Party]) -> Scene:
    broker = MemoryBroker()
    return Scene(parties, broker, Node(parties["bank"], broker), request(parties["bank"]))


@pytest.fixture
def only_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """No payload is small enough to travel behind its envelope."""
    monkeypatch.setattr("party.transport.LARGEST_BEHIND", 0)
