"""Three processes, one RabbitMQ, two kinds of database: the same model as the demo (D1, D2)."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from audit.reexecution import reexecute
from events.rounds import RoundCompleted
from party.jobs import job_history
from party.opening import open_party
from tallystick.demo.run import run_demo
from tests.brokers import PrivateBroker
from tests.end_to_end.conftest import SHIPPED, options_for
from tests.store.conftest import fresh_postgres_log
from tests.tallystick.federations import tally, well

ROLES = {"bank": "local", "partner": "participant", "arbiter": "arbiter"}
START_SECONDS, STOP_SECONDS = 60, 30


def train(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """`tally train`, in a process of its own beside the parties that run."""
    command = [sys.executable, "-m", "tallystick", "train", "job.toml", "--as", "bank"]
    command += ["--job", "first", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def start(name: str, folder: Path) -> subprocess.Popen[bytes]:
    """`tally party run`, what it prints in a file beside its folder."""
    with (folder / f"{name}.out").open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "tallystick", "party", "run", name],
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


@contextmanager
def parties_at_work(folder: Path) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Every party in processes of its own, stopped as a person would stop it."""
    processes = {name: start(name, folder) for name in ROLES}
    try:
        for name, process in processes.items():
            wait_until_connected(folder / f"{name}.out", process)
        yield processes
    finally:
        for process in processes.values():
            process.send_signal(signal.SIGINT)
        for process in processes.values():
            process.wait(STOP_SECONDS)


def wait_until_connected(output: Path, process: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + START_SECONDS
    while "connected to the broker" not in (text := output.read_text()):
        assert process.poll() is None, text
        assert time.monotonic() < give_up, text
        time.sleep(0.1)


def wait_for_first_round(folder: Path) -> None:
    """Until the bank's log says that a round is completed."""
    give_up = time.monotonic() + START_SECONDS
    party = open_party(folder / "bank")
    while not job_history(party.log, "first").has(RoundCompleted):
        assert time.monotonic() < give_up, "no round was completed"
        time.sleep(0.05)
    party.close()


def set_up(folder: Path, broker: PrivateBroker, postgres_url: str) -> None:
    """Folders by command, cards exchanged, the partner's log on PostgreSQL."""
    cards = {name: folder / f"{name}.json" for name in ROLES}
    for name, role in ROLES.items():
        data = ["--data", SHIPPED / f"term_deposit_{name}.csv.gz"] if name != "arbiter" else []
        described = ["--role", role, "--name", name, "--broker", broker.amqp_url, *data]
        well(tally("party", "new", folder / name, *described))
        well(tally("party", "card", folder / name, "--out", cards[name]))
        settings = folder / name / "party.toml"
        text = settings.read_text() + "\n[policy]\naccept_short_keys = true\n"
        if name == "partner":
            text = f'store = "{fresh_postgres_log(postgres_url)}"\n{text}'
        settings.write_text(text)
    for name in ROLES:
        others = [card for other, card in cards.items() if other != name]
        well(tally("party", "trust", folder / name, *others))
    job = folder / "job.toml"
    well(tally("job", "new", job, "--as", folder / "bank"))
    short_key = "key_bits = 512\nshort_key_for_tests = true"
    job.write_text(re.sub(r"key_bits = 2048.*", short_key, job.read_text()))


def model_of(folder: Path, name: str) -> dict[str, object]:
    """The model file, but for the job's name."""
    (file,) = (folder / name / "models").glob("*.json")
    model: dict[str, object] = json.loads(file.read_text())
    return {key: value for key, value in model.items() if key != "model_id"}


def test_three_processes_over_rabbitmq_give_the_demos_model_to_the_bit(
    rabbitmq: PrivateBroker, postgres_url: str, finished_demo: Path, tmp_path: Path
) -> None:
    set_up(tmp_path, rabbitmq, postgres_url)
    with parties_at_work(tmp_path):
        done = train(tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["job"] == "first"
    for name in ("bank", "partner"):
        assert model_of(tmp_path, name) == model_of(finished_demo, name)
    for name in ROLES:
        party = open_party(tmp_path / name)
        assert reexecute(party.log.read(limit=10_000), party.own).divergences == ()
        party.close()


@pytest.mark.parametrize("victim", list(ROLES))
def test_a_party_killed_in_mid_training_goes_on_from_its_log(
    victim: str,
    rabbitmq: PrivateBroker,
    postgres_url: str,
    finished_demo: Path,
    tmp_path: Path,
) -> None:
    """Given SIGKILL after a round, when the party runs again, then the model is the same (D2)."""
    set_up(tmp_path, rabbitmq, postgres_url)
    with parties_at_work(tmp_path) as processes, ThreadPoolExecutor(1) as pool:
        training = pool.submit(train, tmp_path)
        wait_for_first_round(tmp_path)
        processes[victim].kill()
        processes[victim].wait(STOP_SECONDS)
        processes[victim] = start(victim, tmp_path)
        wait_until_connected(tmp_path / f"{victim}.out", processes[victim])
        done = training.result()
    assert done.returncode == 0, done.stderr
    for name in ("bank", "partner"):
        assert model_of(tmp_path, name) == model_of(finished_demo, name)


def test_the_demo_over_rabbitmq_gives_the_same_model_to_the_bit(
    rabbitmq: PrivateBroker, finished_demo: Path, tmp_path: Path
) -> None:
    """Given both buses, then one model: neither the bus nor its timing has a say in it (D2)."""
    options = options_for(tmp_path / "run", "term_deposit", broker=rabbitmq.amqp_url)
    summary = run_demo(options, lambda _progress: None)
    assert summary.broker == "rabbitmq"
    for name in ("bank", "partner"):
        assert model_of(tmp_path / "run", name) == model_of(finished_demo, name)


def test_a_job_that_a_partner_declines_ends_with_its_reason(
    rabbitmq: PrivateBroker, postgres_url: str, tmp_path: Path
) -> None:
    set_up(tmp_path, rabbitmq, postgres_url)
    settings = tmp_path / "partner" / "party.toml"
    settings.write_text(settings.read_text() + 'requesters = ["another-bank"]\n')
    with parties_at_work(tmp_path):
        done = train(tmp_path)
    assert done.returncode == 1
    assert "bank is not among the parties whose jobs are accepted" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["bank", "partner", "arbiter"])
def test_key_files_of_a_new_party_are_for_its_owner_only(name: str, finished_demo: Path) -> None:
    for file in (finished_demo / name / "keys").rglob("*"):
        assert file.stat().st_mode & 0o077 == 0
