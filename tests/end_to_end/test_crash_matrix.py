"""Every party dies between any two steps of any pump, and the model is the same to the bit (D2).

A SIGKILL leaves what the database and the disk have: so do pumps that are forgotten, with their
connection, after each step. Whole processes are killed over RabbitMQ by `benchmarks.soak`.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from bus.memory import Disturbance, MemoryBroker
from events.lifecycle import TrainingFailed
from events.models import ModelSaved
from handlers.reactions import decide
from party.jobs import job_history
from party.opening import open_party
from party.projecting import Projector
from party.requesting import request_training
from tallystick.demo.federation import create_parties, demo_terms, prepare_folder
from tests.end_to_end.conftest import options_for
from tests.end_to_end.test_real_federation import model_of
from tests.party.federation import Node

JOB = "crashes"


class Mortal:
    """A party that is killed and started again after every step of a pump."""

    def __init__(self, folder: Path, broker: MemoryBroker) -> None:
        self.folder, self.broker = folder, broker
        self.party = open_party(folder)
        self.node: Node | None = None
        self.deaths = 0

    def step(self, random: Random) -> bool:
        """One event reacted to, some parcels taken or sent; then all memory is gone."""
        if self.node is None:
            self.node = Node(self.party, self.broker, decide)
            self.node.heads.agree.set()
        before = self.party.log.head(), len(self.party.log.pending_deliveries(10_000))
        pump = random.choice(("react", "receive", "publish"))
        if pump == "react":
            self.node.reactor.step_once()
        elif pump == "receive":
            self.node.receive(random.choice((1, 3)))
        else:
            self.node.publish()
        if before != (self.party.log.head(), len(self.party.log.pending_deliveries(10_000))):
            self.deaths += 1
            self.node.reactor.close()
            self.node.endpoint.close()
            self.node = None
            return True
        return False


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker(
        delivery_limit=10_000, disturbance=Disturbance(seed=3, reorder=0.1, duplicate=0.1)
    )


def has_its_model(mortal: Mortal) -> bool:
    history = job_history(mortal.party.log, JOB)
    assert not history.has(TrainingFailed)
    return history.has_from_all(ModelSaved, ("bank", "partner"))


def test_a_party_that_dies_after_every_step_trains_the_same_model(
    broker: MemoryBroker, finished_demo: Path, tmp_path: Path
) -> None:
    options, random = options_for(tmp_path / "run"), Random(4)
    prepare_folder(options.out)
    folders = create_parties(options)
    mortals = [Mortal(folder, broker) for folder in folders.values()]
    for mortal in mortals:
        broker.endpoint(mortal.party.name).close()
    request_training(mortals[0].party, JOB, demo_terms(options, folders))
    for _ in turns(mortals, random):
        pass
    assert min(mortal.deaths for mortal in mortals) > 50
    for mortal in mortals:
        projector = Projector(mortal.party)
        projector.step(timeout=0)
        projector.close()
        mortal.party.close()
    for name in ("bank", "partner"):
        assert model_of(tmp_path / "run", name) == model_of(finished_demo, name)


def turns(mortals: list[Mortal], random: Random) -> Iterator[None]:
    """Until everybody has everything; a federation that gets stuck fails."""
    idle = 0
    while not all(map(has_its_model, mortals)):
        moved = random.choice(mortals).step(random)
        idle = 0 if moved else idle + 1
        assert idle < 3_000, "the federation got stuck"
        yield
