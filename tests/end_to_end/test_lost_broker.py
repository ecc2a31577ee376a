"""A broker that loses everything in mid-training costs nothing: the same model to the bit (D2)."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from random import Random

from bus.memory import Disturbance, MemoryBroker
from party.jobs import job_history
from party.opening import Party, open_party
from party.requesting import request_training
from party.running import RunningParty
from tallystick.demo.federation import create_parties, demo_terms, prepare_folder
from tests.brokers import private_broker
from tests.end_to_end.conftest import options_for
from tests.end_to_end.test_real_federation import (
    model_of,
    parties_at_work,
    set_up,
    train,
    wait_for_first_round,
)

FINISH_SECONDS = 240


def test_rabbitmq_without_its_disk(postgres_url: str, finished_demo: Path, tmp_path: Path) -> None:
    """Given a broker whose data are gone after the first round, when it is started again, then the
    parties declare their queues, compare heads, send again what is missing, and finish.
    """
    with private_broker() as broker:
        set_up(tmp_path, broker, postgres_url)
        with parties_at_work(tmp_path), ThreadPoolExecutor(1) as pool:
            training = pool.submit(train, tmp_path)
            wait_for_first_round(tmp_path)
            broker.wipe()
            broker.start()
            done = training.result()
        assert done.returncode == 0, done.stderr
    for name in ("bank", "partner"):
        assert model_of(tmp_path, name) == model_of(finished_demo, name)
        party = open_party(tmp_path / name)
        assert party.log.refusals() == []
        party.close()


def test_the_embedded_bus_wiped_at_random(finished_demo: Path, tmp_path: Path) -> None:
    """Given a bus that loses all it holds, five times, and reorders the rest, then one model."""
    options = options_for(tmp_path / "run")
    prepare_folder(options.out)
    folders = create_parties(options)
    broker, random = MemoryBroker(disturbance=Disturbance(seed=6, duplicate=0.2)), Random(6)
    with ExitStack() as stack:
        parties: dict[str, Party] = {}
        for name, path in folders.items():
            parties[name] = open_party(path)
            stack.callback(parties[name].close)
            stack.enter_context(RunningParty(parties[name], broker.endpoint(name)))
        request_training(parties["bank"], "first", demo_terms(options, folders))
        give_up, wipes = time.monotonic() + FINISH_SECONDS, 0
        while not _all_have_their_model(folders, parties):
            assert time.monotonic() < give_up, "the training got stuck"
            time.sleep(random.uniform(0.1, 0.6))
            if wipes < 5:
                broker.wipe()
                wipes += 1
        for party in parties.values():
            assert not job_history(party.log, "first").is_over
    for name in ("bank", "partner"):
        assert model_of(options.out, name) == model_of(finished_demo, name)


def _all_have_their_model(folders: dict[str, Path], parties: dict[str, Party]) -> bool:
    stopped = all(job_history(party.log, "first").is_stopped for party in parties.values())
    return stopped and all(
        any((folders[name] / "models").glob("*.json")) for name in ("bank", "partner")
    )
