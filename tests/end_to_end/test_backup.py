"""Backup while a party works, and restore, as docs/operations.md says (D2): nothing has to stop."""

import json
import re
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from audit.opening import open_log
from audit.verification import verify
from benchmarks.few_customers import few_customers
from events.event import Event
from events.models import ModelSaved
from events.rounds import RoundCompleted
from events.terms import Terms
from party.doctor import State, examine
from party.folder import PartyFolder
from party.jobs import job_history
from party.opening import Party
from party.requesting import request_training
from party.settings import log_address, read_settings
from tallystick.demo.federation import create_parties, demo_terms, running
from tests.brokers import PrivateBroker
from tests.databases import find_programs
from tests.store.conftest import fresh_postgres_log

CUSTOMERS = 600
FINISH_SECONDS = 240
DATA_PARTIES = ("bank", "partner")

# What is made anew, or means nothing on another day.
NOT_KEPT = ("log.sqlite*", "views.sqlite*", "bells", "pulses", "spool", "incoming", "*.lock")


def back_up_sqlite(folder: PartyFolder, out: Path) -> None:
    """What `sqlite3 log.sqlite ".backup FILE"` does."""
    with closing(sqlite3.connect(folder.log)) as log, closing(sqlite3.connect(out)) as copy:
        log.backup(copy)


def restore_sqlite(folder: PartyFolder, backup: Path) -> None:
    shutil.copy(backup, folder.log)


def server_and_schema(folder: PartyFolder) -> tuple[str, str]:
    parts = parse_qs(urlsplit(log_address(read_settings(folder), folder)).query)
    return parts["host"][0], parts["options"][0].rpartition("=")[2]


def back_up_postgresql(folder: PartyFolder, out: Path) -> None:
    host, schema = server_and_schema(folder)
    command = [str(find_programs() / "pg_dump"), "-h", host, "-U", "tallystick", "-n", schema]
    subprocess.run([*command, "-Fc", "-f", str(out), "postgres"], check=True)


def restore_postgresql(folder: PartyFolder, backup: Path) -> None:
    host, schema = server_and_schema(folder)
    with psycopg.connect(host=host, user="tallystick", dbname="postgres") as connection:
        connection.execute(f"DROP SCHEMA {schema} CASCADE")
    command = [str(find_programs() / "pg_restore"), "-h", host, "-U", "tallystick"]
    subprocess.run([*command, "-d", "postgres", str(backup)], check=True)


@dataclass(frozen=True)
class Folders:
    """Where the parties are, what they agree on, and who carries it."""

    paths: Mapping[str, Path]
    terms: Terms
    broker: str

    @contextmanager
    def at_work(self) -> Iterator[Mapping[str, Party]]:
        """Each with all its pumps, over the broker."""
        with running(self.paths, self.broker) as parties:
            yield parties

    def model(self, job: str) -> list[dict[str, object]]:
        """Each party's model file, but for the job's name."""
        files = [self.paths[name] / "models" / f"{job}.json" for name in DATA_PARTIES]
        models = [json.loads(file.read_text()) for file in files]
        assert all(model.pop("model_id") == job for model in models)
        return models


def wait_for(
    parties: Mapping[str, Party], job: str, event: type[Event], sources: Sequence[str]
) -> None:
    """Until each party with data has heard it from all; asked seldom, they share a process."""
    give_up = time.monotonic() + FINISH_SECONDS
    logs = [parties[name].log for name in DATA_PARTIES]
    while not all(job_history(log, job).has_from_all(event, sources) for log in logs):
        assert time.monotonic() < give_up, f"{job} got stuck"
        time.sleep(0.1)


KINDS: dict[str, tuple[Callable[[PartyFolder, Path], None], Callable[[PartyFolder, Path], None]]]
KINDS = {
    "bank": (back_up_sqlite, restore_sqlite),
    "partner": (back_up_postgresql, restore_postgresql),
}


@pytest.fixture
def folders(tmp_path: Path, rabbitmq: PrivateBroker, postgres_url: str) -> Folders:
    """Three parties on RabbitMQ, the partner's log on PostgreSQL."""
    options = few_customers(tmp_path, CUSTOMERS)
    paths = create_parties(options)
    for name, path in paths.items():
        settings = path / "party.toml"
        text = f'broker = "{rabbitmq.amqp_url}"\n'
        if name == "partner":
            text += f'store = "{fresh_postgres_log(postgres_url)}"\n'
        settings.write_text(text + re.sub(r"(?m)^(broker|store) = .*\n", "", settings.read_text()))
    return Folders(paths, demo_terms(options, paths), rabbitmq.amqp_url)


@pytest.mark.parametrize("name", list(KINDS))
def test_a_party_restored_from_a_backup_of_yesterday_trains_again(
    name: str, folders: Folders, tmp_path: Path
) -> None:
    """Given a backup taken in the midst of a training, when the party's folder and database are
    lost after it, then the restored log is whole, and the next training gives the same model.
    """
    back_up, restore = KINDS[name]
    folder = PartyFolder(folders.paths[name])
    kept, database = tmp_path / "kept", tmp_path / "database"
    with folders.at_work() as parties:
        request_training(parties["bank"], "first", folders.terms)
        wait_for(parties, "first", RoundCompleted, ["arbiter"])
        back_up(folder, database)  # the log first: every payload it names is there already
        shutil.copytree(folder.path, kept, ignore=shutil.ignore_patterns(*NOT_KEPT))
        wait_for(parties, "first", ModelSaved, DATA_PARTIES)
    before = folders.model("first")

    shutil.rmtree(folder.path)
    kept.rename(folder.path)
    restore(folder, database)
    with open_log(str(folder.path)) as copy:
        assert verify(copy).holds
    well = {one.check for one in examine(folder.path) if one.state is not State.FAIL}
    assert well >= {"permissions", "keys", "cards", "database", "payloads", "broker"}

    with folders.at_work() as parties:
        request_training(parties["bank"], "second", folders.terms)
        wait_for(parties, "second", ModelSaved, DATA_PARTIES)
    assert folders.model("second") == before
