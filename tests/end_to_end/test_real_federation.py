"""Three processes, one RabbitMQ, two kinds of database: the same model as the demo (D1, D2)."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from audit.reexecution import reexecute
from party.opening import open_party
from tallystick.demo.run import run_demo
from tests.brokers import PrivateBroker
from tests.end_to_end.conftest import SHIPPED, options_for
from tests.store.conftest import fresh_postgres_log

ROLES = {"bank": "local", "partner": "participant", "arbiter": "arbiter"}
START_SECONDS, STOP_SECONDS = 60, 30


def tally(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tallystick", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def succeed(*arguments: str | Path, folder: Path) -> str:
    done = tally(*arguments, folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def party_at_work(name: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`tally party run`, stopped as a person would stop it."""
    output = (folder / f"{name}.out").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "tallystick", "party", "run", name],
        cwd=folder,
        stdout=output,
        stderr=subprocess.STDOUT,
    )
    try:
        wait_until_connected(folder / f"{name}.out", process)
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(STOP_SECONDS)
        output.close()


def wait_until_connected(output: Path, process: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + START_SECONDS
    while "connected to the broker" not in (text := output.read_text()):
        assert process.poll() is None, text
        assert time.monotonic() < give_up, text
        time.sleep(0.1)


def set_up(folder: Path, broker: PrivateBroker, postgres_url: str) -> None:
    """Folders by command, cards exchanged, the partner's log on PostgreSQL."""
    for name, role in ROLES.items():
        arguments = ["party", "new", name, "--role", role, "--name", name]
        arguments += ["--broker", broker.amqp_url]
        if name != "arbiter":
            arguments += ["--data", str(SHIPPED / f"term_deposit_{name}.csv.gz")]
        succeed(*arguments, folder=folder)
        succeed("party", "card", name, "--out", f"{name}.json", folder=folder)
        settings = folder / name / "party.toml"
        text = settings.read_text() + "\n[policy]\naccept_short_keys = true\n"
        if name == "partner":
            text = f'store = "{fresh_postgres_log(postgres_url)}"\n{text}'
        settings.write_text(text)
    for name in ROLES:
        others = [f"{other}.json" for other in ROLES if other != name]
        succeed("party", "trust", name, *others, folder=folder)
    succeed("job", "new", "job.toml", "--as", "bank", folder=folder)
    job = folder / "job.toml"
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
    with ExitStack() as stack:
        for name in ROLES:
            stack.enter_context(party_at_work(name, tmp_path))
        told = json.loads(
            succeed(
                "train", "job.toml", "--as", "bank", "--job", "first", "--json", folder=tmp_path
            )
        )
    assert told["job"] == "first"
    for name in ("bank", "partner"):
        assert model_of(tmp_path, name) == model_of(finished_demo, name)
    for name in ROLES:
        party = open_party(tmp_path / name)
        assert reexecute(party.log.read(limit=10_000), party.own).divergences == ()
        party.close()


def test_the_demo_over_rabbitmq_gives_the_same_model_to_the_bit(
    rabbitmq: PrivateBroker, finished_demo: Path, tmp_path: Path
) -> None:
    options = options_for(tmp_path / "run", broker=rabbitmq.amqp_url)
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
    with ExitStack() as stack:
        for name in ROLES:
            stack.enter_context(party_at_work(name, tmp_path))
        done = tally("train", "job.toml", "--as", "bank", "--job", "first", folder=tmp_path)
    assert done.returncode == 1
    assert "bank is not among the parties whose jobs are accepted" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["bank", "partner", "arbiter"])
def test_key_files_of_a_new_party_are_for_its_owner_only(name: str, finished_demo: Path) -> None:
    for file in (finished_demo / name / "keys").rglob("*"):
        assert file.stat().st_mode & 0o077 == 0
