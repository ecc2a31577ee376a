"""Parties' folders as this release leaves them: kept beside this file, for later releases to open.

`python -m tests.released.writing FILE.zip`, run from a checkout of the release, makes a federation
of sixteen made-up customers with short keys. `spring` is trained, `summer` was stopped after its
first round. All keys in it are for tests alone. protocol-1.zip was written by the code of commit
919053c, before members told each other which versions of the protocol they speak.
"""

import random
import sqlite3
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from bus import MemoryBroker
from events.models import ModelEvaluated
from events.rounds import RoundCompleted
from events.terms import Member, Terms
from events.vocabulary import Role
from events.witness import CheckpointPosted
from handlers.history import History
from party.creating import create_party
from party.jobs import job_history
from party.opening import Party, open_party, party_card, trust
from party.requesting import request_training
from party.running import RunningParty
from tallystick.job_file import make_terms

ROLES = {"bank": Role.LOCAL, "partner": Role.PARTICIPANT, "arbiter": Role.ARBITER}
SEED = 919053
SECONDS = 60.0
POLICY = """[policy]
accept_short_keys = true
leak_budget = 100.0
smallest_overlap = 10
smallest_bin = 1
"""
SOURCE = '\n[source]\nfile = "customers.csv"\n'
NO_TIME = (1980, 1, 1, 0, 0, 0)
PRIVATE_FILE = 0o600
# What a stopped party needs no more: locks, sockets, files on their way.
LEFT_OUT = ("bells", "pulses", "spool")

Reached = Callable[[History, str], bool]


def release_terms() -> Terms:
    """Three rounds over ten and more customers, which no threshold ends earlier."""
    return make_terms(
        tuple(Member(name=name, role=role) for name, role in ROLES.items()),
        optimiser={"maximum_rounds": 3, "stop_threshold": 1e-9},
        key_bits=512,
        short_key_for_tests=True,
        leak_budget=100.0,
        smallest_overlap=10,
        smallest_bin=1,
    )


def make_parties(out: Path) -> None:
    """Folders with keys, data and each other's cards."""
    data = _customers()
    for name, role in ROLES.items():
        tables = POLICY + (SOURCE if name in data else "")
        create_party(out / name, role, name, tables=tables)
        if name in data:
            (out / name / "customers.csv").write_text("\n".join(data[name]) + "\n")
        (out / f"{name}.json").write_text(party_card(out / name).model_dump_json())
    for name in ROLES:
        trust(out / name, *(out / f"{other}.json" for other in ROLES if other != name))


@contextmanager
def at_work(folder: Path, broker: MemoryBroker | None = None) -> Iterator[dict[str, Party]]:
    """All parties at work, as threads, on a bus of their own unless one is given."""
    broker = broker or MemoryBroker()
    with ExitStack() as stack:
        parties = {name: stack.enter_context(closing(open_party(folder / name))) for name in ROLES}
        for name, party in parties.items():
            stack.enter_context(RunningParty(party, broker.endpoint(name)))
        yield parties


def await_all(parties: dict[str, Party], job: str, reached: Reached) -> None:
    """Until every party's log has got that far with the job."""
    give_up = time.monotonic() + SECONDS
    while not all(reached(job_history(one.log, job), name) for name, one in parties.items()):
        if time.monotonic() > give_up:
            raise TimeoutError(f"{job} does not get on")
        time.sleep(0.002)


def is_trained(history: History, name: str) -> bool:
    """Everybody has said the last there is to say."""
    told = history.is_known and history.has_from_all(CheckpointPosted, ROLES)
    return told and (name != "bank" or history.has(ModelEvaluated))


def has_begun(history: History, _name: str) -> bool:
    return history.has(RoundCompleted, round=1)


def unpack(file: Path, folder: Path) -> None:
    """The parties' folders, for this user alone."""
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder)
    for path in folder.rglob("*"):
        path.chmod(0o700 if path.is_dir() else PRIVATE_FILE)


def _customers() -> dict[str, list[str]]:
    draw = random.Random(SEED)
    rows = [[round(draw.gauss(0, 1), 2) for _ in range(4)] for _ in range(16)]
    labels = [int(sum(row) + draw.gauss(0, 0.7) > 0) for row in rows]
    bank, partner = ["id,income,age,y"], ["id,calls,data"]
    for number, ((income, age, calls, data), label) in enumerate(zip(rows, labels, strict=True)):
        if number > 1:
            bank.append(f"{100 + number},{income},{age},{label}")
        if number < 15:
            partner.append(f"{100 + number},{calls},{data}")
    return {"bank": bank, "partner": partner}


def _pack(folder: Path, file: Path) -> None:
    for database in folder.glob("*/*.sqlite"):
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("VACUUM")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(path for path in folder.glob("*/**/*") if path.is_file()):
            place = path.relative_to(folder)
            if place.parts[1] not in LEFT_OUT and path.suffix != ".lock":
                information = zipfile.ZipInfo(str(place), NO_TIME)
                information.external_attr = PRIVATE_FILE << 16
                information.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(information, path.read_bytes())


def write_release(file: Path) -> None:
    """Make the federation, train, stop in the middle of the second job, and pack it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_parties(folder)
        for job, reached in (("spring", is_trained), ("summer", has_begun)):
            with at_work(folder) as parties:
                request_training(parties["bank"], job, release_terms())
                await_all(parties, job, reached)
        _pack(folder, file)


if __name__ == "__main__":
    write_release(Path(sys.argv[1]))
