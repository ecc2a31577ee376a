"""A federation on the memory bus whose parties change their keys."""

from pathlib import Path

from bus.memory import MemoryBroker
from events.catalogue import CATALOGUE, Fact
from events.rotation import KeyRotated
from party.opening import Party, open_party
from party.requesting import cancel_training
from party.rotating import rotate_keys
from tests.party.federation import (
    JOB,
    Node,
    make_federation,
    request,
    run,
)


class Federation:
    """Three parties on the memory bus; keys rotate while theirs are closed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broker = MemoryBroker()
        self.parties = make_federation(folder)
        self.nodes = {name: Node(party, self.broker) for name, party in self.parties.items()}

    def party(self, name: str) -> Party:
        return self.parties[name]

    def stop(self, name: str) -> None:
        self.nodes[name].endpoint.close()
        self.parties[name].close()

    def start(self, name: str) -> Node:
        self.parties[name] = open_party(self.folder / name)
        self.nodes[name] = Node(self.parties[name], self.broker)
        return self.nodes[name]

    def rotate(self, name: str) -> None:
        self.stop(name)
        rotate_keys(self.folder / name)
        self.start(name)

    def run(self) -> None:
        run(*self.nodes.values())

    def train(self, job: str) -> None:
        request(self.party("bank"), job=job)
        self.run()


def end(federation: Federation, job: str = JOB) -> None:
    """So that no job is under way any more."""
    cancel_training(federation.party("bank"), job)
    federation.run()


def shared(party: Party, job: str) -> set[tuple[str, str]]:
    found = (entry.envelope for entry in party.log.job(job))
    return {(one.source, one.type) for one in found if not one.is_private}


def rotation_at(party: Party) -> Fact[KeyRotated]:
    """What this party knows of the bank's rotation, or the bank of its own."""
    for entry in party.log.read():
        fact = CATALOGUE.read(entry.envelope)
        if isinstance(fact.event, KeyRotated) and party.name in fact.job:
            return Fact(fact.envelope, fact.event)
    raise AssertionError("no rotation")
