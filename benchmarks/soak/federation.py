"""Three parties as processes over one RabbitMQ, each behind a wire of its own, and their logs."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.few_customers import few_customers
from events.lifecycle import TrainingFailed
from events.models import ModelSaved
from party.jobs import job_history
from party.opening import Party, open_party
from party.requesting import request_training
from store.errors import StoreError
from tallystick.demo.federation import create_parties, demo_terms
from tests.brokers import PrivateBroker
from tests.databases import PrivatePostgres
from tests.proxies import TcpProxy
from tests.store.conftest import fresh_postgres_log

NAMES = ("bank", "partner", "arbiter")
START_SECONDS, QUIET_SECONDS = 120, 60
ON_POSTGRESQL = "partner"


@dataclass(frozen=True)
class Outcome:
    """How a job ended: its models by party, or why it failed; and what some log lacks."""

    models: Mapping[str, str]
    failures: frozenset[str]
    lost: int
    detail: str = ""


class Federation:
    """The parties' folders and processes. Stop it with `stop`."""

    def __init__(
        self,
        folder: Path,
        customers: int,
        broker: PrivateBroker,
        postgres: PrivatePostgres,
        policy: str = "",
    ) -> None:
        """`policy` are lines for everybody's [policy]."""
        self.folder = folder
        self.broker = broker
        self.postgres = postgres
        self.wires = {name: TcpProxy(broker.port) for name in NAMES}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._outputs = {name: (folder / f"{name}.out").open("ab") for name in NAMES}
        self._options = few_customers(folder, customers)
        self._folders = create_parties(self._options)
        for name, path in self._folders.items():
            url = broker.amqp_url.replace(f":{broker.port}/", f":{self.wires[name].port}/")
            text = f'broker = "{url}?heartbeat=5"\n'
            if name == ON_POSTGRESQL:
                text += f'store = "{fresh_postgres_log(postgres.url)}"\n'
            settings = path / "party.toml"
            others = re.sub(r"(?m)^(broker|store) = .*\n", "", settings.read_text())
            settings.write_text(text + others.replace("[policy]\n", f"[policy]\n{policy}"))

    def path(self, name: str) -> Path:
        return self._folders[name]

    def start(self, name: str, variables: Mapping[str, str] | None = None) -> None:
        """`tally party run` in a process group of its own."""
        self._processes[name] = subprocess.Popen(
            [sys.executable, "-m", "tallystick", "party", "run", str(self.path(name))],
            stdout=self._outputs[name],
            stderr=subprocess.STDOUT,
            env={**os.environ, **(variables or {})},
            start_new_session=True,
        )

    @property
    def process_ids(self) -> dict[str, int]:
        return {name: process.pid for name, process in self._processes.items()}

    def kill(self, name: str, *, reactor_too: bool = True) -> None:
        """SIGKILL; without its link alone the reactor notices, and leaves by itself."""
        process = self._processes[name]
        if reactor_too:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()

    def restart(self, name: str, variables: Mapping[str, str] | None = None) -> None:
        self.kill(name)
        self.start(name, variables)

    def ended_by_itself(self) -> list[str]:
        return [name for name, process in self._processes.items() if process.poll() is not None]

    def stop(self) -> None:
        for name, process in self._processes.items():
            if process.poll() is None:
                self.kill(name)
        for wire in self.wires.values():
            wire.close()
        for output in self._outputs.values():
            output.close()

    def request(self, job: str) -> None:
        with self.opened("bank") as bank:
            request_training(bank, job, demo_terms(self._options, self._folders))

    @contextmanager
    def opened(self, name: str) -> Iterator[Party]:
        party = open_party(self.path(name))
        try:
            yield party
        finally:
            party.close()

    def head(self, name: str) -> int:
        with self.opened(name) as party:
            return party.log.head()

    def outcome(self, job: str, patience: float) -> Outcome:
        """Wait until the job has ended everywhere and all logs have the same shared events."""
        give_up = time.monotonic() + patience
        quiet_by: float | None = None
        while True:
            try:
                found, settled = self._look(job)
            except StoreError as error:  # a server that is restarted just now
                found, settled = Outcome({}, frozenset(), 0, str(error)), False
            if settled and not found.lost:
                return found
            now = time.monotonic()
            quiet_by = (quiet_by or now + QUIET_SECONDS) if settled else None
            if now > give_up or (quiet_by and now > quiet_by):
                return found
            time.sleep(0.25)

    def _look(self, job: str) -> tuple[Outcome, bool]:
        shared: dict[str, set[str]] = {}
        failures: dict[str, str] = {}
        saved: dict[str, bool] = {}
        for name in NAMES:
            with self.opened(name) as party:
                history = job_history(party.log, job)
                entries = party.log.job(job)
                shared[name] = {one.envelope.id for one in entries if not one.envelope.is_private}
                failed = history.of(TrainingFailed)
                failures[name] = "; ".join(sorted({one.event.detail for one in failed}))
                saved[name] = history.has_from_all(ModelSaved, ("bank", "partner"))
        everything = set.union(*shared.values())
        lost = sum(len(everything - events) for events in shared.values())
        models = {name: text for name in NAMES[:2] if (text := self._model(name, job))}
        settled = (all(saved.values()) and len(models) == 2) or all(failures.values())
        where = ", ".join(f"{name} {len(events)}" for name, events in shared.items())
        told = frozenset(one for one in failures.values() if one)
        return Outcome(models, told, lost, where), settled

    def _model(self, name: str, job: str) -> str:
        """The model file but for the job's name, or nothing."""
        for file in (self.path(name) / "models").glob("*.json"):
            model = json.loads(file.read_text())
            if model.pop("model_id", None) == job:
                return json.dumps(model, sort_keys=True)
        return ""


def copy_folder(source: Path, target: Path) -> None:
    """All but the pipes by which processes wake each other."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("bells"))
