"""Who computes a gradient is the party's choice, and changes nothing but the time (T6)."""

import os
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paillier import Encryptor, generate_key_pair, one_hot_gradient
from paillier.feature_blocks import FeatureBlock, Octets, Workers, gradient_by_workers
from paillier.generator import DeterministicGenerator
from paillier.keys import PublicKey
from party.compute import Cluster, ComputeSettings, LocalProcesses, check_compute, workers_of
from party.errors import SettingsError
from party.settings import parse_settings
from tests.party.federation import until

HEAD = 'name = "partner"\nrole = "participant"\n'
NOWHERE = "tcp://127.0.0.1:1"


@pytest.fixture(scope="module")
def public_key() -> PublicKey:
    return generate_key_pair(512, minimum_bits=512).public


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """A Dask scheduler with two worker processes; its address."""
    import distributed

    local_cluster: Any = distributed.LocalCluster
    with local_cluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as running:
        yield running.scheduler_address


def settings(text: str) -> ComputeSettings:
    return parse_settings(f"{HEAD}[compute]\n{text}", Path("party.toml")).compute


def check_gradient(workers: Workers, key: PublicKey) -> None:
    """Given 40 variables of 2 to 5 bins: the integers of this process."""
    random = np.random.default_rng(0)
    bins = random.integers(2, 6, 40).tolist()
    codes = np.array([random.integers(0, count, 300) for count in bins], np.uint8)
    numbers = random.integers(-(2**20), 2**20, 300).tolist()
    ciphertexts = Encryptor(key).encrypt(numbers, DeterministicGenerator(b"s" * 32))

    found = gradient_by_workers(ciphertexts, codes, bins, [False] * 40, None, key, workers)

    assert found == one_hot_gradient(ciphertexts, codes, bins, key)


def test_threads_of_the_party_itself_are_the_default(tmp_path: Path) -> None:
    assert workers_of(parse_settings(HEAD, Path("party.toml")).compute, 4, tmp_path) is None


def test_two_processes_of_this_machine_give_the_same_integers(
    tmp_path: Path, public_key: PublicKey
) -> None:
    workers = workers_of(settings('backend = "loky"\nworkers = 2'), 1, tmp_path)
    assert workers is not None
    assert workers.count == 2
    check_gradient(workers, public_key)


def own_process_id(_ciphertexts: Octets, _block: FeatureBlock) -> Octets:
    return np.array([os.getpid()]).view(np.uint8)


def work_and_end(folder: Path, results: Path) -> None:
    """What a reactor does, in a process of its own: some work, and then it ends."""
    block = FeatureBlock(np.zeros((1, 1), np.uint8), (2,), (False,), None, 15, 4)
    workers = LocalProcesses(2, 1, folder)
    told = workers(own_process_id, np.zeros((1, 1), np.uint8), [block] * 8)
    results.write_text(" ".join(str(int(one.view(np.int64)[0])) for one in told))


def test_the_processes_end_with_the_party_that_began_them(tmp_path: Path) -> None:
    process = get_context("spawn").Process(
        target=work_and_end, args=(tmp_path, tmp_path / "processes")
    )
    process.start()
    process.join()
    workers = {int(word) for word in (tmp_path / "processes").read_text().split()}
    assert os.getpid() not in workers
    assert process.pid not in workers
    until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))


def test_a_cluster_of_two_workers_gives_the_same_integers(
    cluster: str, tmp_path: Path, public_key: PublicKey
) -> None:
    chosen = settings(f'backend = "dask"\naddress = "{cluster}"')
    check_compute(chosen)
    workers = workers_of(chosen, 1, tmp_path)
    assert workers is not None
    assert workers.count == 2
    check_gradient(workers, public_key)
    check_gradient(workers, public_key)


def test_a_cluster_that_is_gone_in_mid_job_costs_time_only(
    public_key: PublicKey, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("party.compute.CONNECT_SECONDS", 1)
    check_gradient(Cluster(NOWHERE, 2), public_key)
    assert "workers_failed" in capsys.readouterr().out


def test_a_scheduler_that_is_not_there_is_said_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("party.compute.CONNECT_SECONDS", 1)
    with pytest.raises(SettingsError, match=r"tcp://127.0.0.1:1 cannot be reached .*`dask sched"):
        check_compute(settings(f'backend = "dask"\naddress = "{NOWHERE}"'))


def test_a_cluster_without_its_software_is_told_which_extra_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("party.compute.find_spec", lambda _name: None)
    with pytest.raises(SettingsError, match=r"tallystick\[cluster\]"):
        check_compute(settings(f'backend = "dask"\naddress = "{NOWHERE}"'))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('backend = "dask"', "needs the address of a scheduler"),
        ('address = "tcp://a:1"', "no other backend has one"),
        ('backend = "ray"', "compute.backend"),
        ("workers = 2", 'workers is for backend = "loky"'),
        ('backend = "loky"\nworkers = 0', "compute.workers"),
    ],
)
def test_settings_that_cannot_be_are_named(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        settings(text)
