"""Backup while a party works, and restore, as docs/operations.md says (D2): nothing has to stop."""

import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from audit.opening import open_log
from audit.verification import verify
from party.doctor import State, examine
from party.folder import PartyFolder
from party.settings import log_address, read_settings
from tests.brokers import PrivateBroker
from tests.databases import find_programs
from tests.end_to_end.test_real_federation import (
    model_of,
    parties_at_work,
    set_up,
    train,
    wait_for_first_round,
)

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


KINDS: dict[str, tuple[Callable[[PartyFolder, Path], None], Callable[[PartyFolder, Path], None]]]
KINDS = {
    "bank": (back_up_sqlite, restore_sqlite),
    "partner": (back_up_postgresql, restore_postgresql),
}


@pytest.mark.parametrize("name", list(KINDS))
def test_a_party_restored_from_a_backup_of_yesterday_trains_again(
    name: str,
    rabbitmq: PrivateBroker,
    postgres_url: str,
    finished_demo: Path,
    tmp_path: Path,
) -> None:
    """Given a backup taken in the midst of a training, when the party's folder and database are
    lost after it, then the restored log is whole, and the next training gives the demo's model.
    """
    back_up, restore = KINDS[name]
    set_up(tmp_path, rabbitmq, postgres_url)
    folder, kept, database = PartyFolder(tmp_path / name), tmp_path / "kept", tmp_path / "database"
    with parties_at_work(tmp_path), ThreadPoolExecutor(1) as pool:
        training = pool.submit(train, tmp_path)
        wait_for_first_round(tmp_path)
        back_up(folder, database)  # the log first: every payload it names is there already
        shutil.copytree(folder.path, kept, ignore=shutil.ignore_patterns(*NOT_KEPT))
        assert training.result().returncode == 0

    shutil.rmtree(folder.path)
    kept.rename(folder.path)
    restore(folder, database)
    with open_log(str(folder.path)) as copy:
        assert verify(copy).holds
    well = {one.check for one in examine(folder.path) if one.state is not State.FAIL}
    assert well >= {"permissions", "keys", "cards", "database", "payloads", "broker"}

    with parties_at_work(tmp_path):
        again = train(tmp_path, "--job", "second")
    assert again.returncode == 0, again.stderr
    assert model_of_job(tmp_path, "bank", "second") == model_of(finished_demo, "bank")


def model_of_job(folder: Path, name: str, job: str) -> dict[str, object]:
    """As `model_of`, of one job among several."""
    others = [file for file in (folder / name / "models").glob("*.json") if job not in file.name]
    for file in others:
        file.unlink()
    return model_of(folder, name)
