"""A federation that has trained one model, shared by the tests that only read."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from bus import MemoryBroker
from tests.tallystick.federations import (
    Outcome,
    broker_for_commands,
    make_federation,
    running,
    tally,
    write_job,
)


@dataclass(frozen=True)
class Trained:
    """Three parties' folders, the job, and what `tally train` said."""

    folder: Path
    job: str
    outcome: Outcome


@pytest.fixture(autouse=True)
def _logging_of_the_test_run() -> Iterator[None]:
    """Commands set up logging for the whole process; the next test starts afresh."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def federation(tmp_path: Path) -> Path:
    make_federation(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Partner and arbiter run; the bank does not, so that `tally train` runs it itself."""
    folder, broker = tmp_path_factory.mktemp("trained"), MemoryBroker()
    make_federation(folder)
    job = write_job(folder / "Spring 2026.toml")
    with running(broker, folder, ["partner", "arbiter"]), broker_for_commands(broker):
        outcome = tally("train", job, "--as", folder / "bank", "--job", "spring")
    return Trained(folder, "spring", outcome)
