"""The command line explains itself."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tallystick.cli import app
from tests.tallystick.federations import tally, well

REPOSITORY = Path(__file__).resolve().parents[2]


def _commands(application: typer.Typer, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    for command in application.registered_commands:
        assert command.callback is not None
        yield (*path, command.name or command.callback.__name__)
    for group in application.registered_groups:
        assert group.typer_instance is not None
        yield from _commands(group.typer_instance, *path, str(group.name))


COMMANDS = sorted(_commands(app))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(command: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.output
    purpose = [line for line in result.output.splitlines() if line.strip()][1]
    assert len(purpose.split()) > 2, "a command says what it is for"


def test_the_commands_are_those_that_the_manual_names() -> None:
    named = {" ".join(command) for command in COMMANDS}
    assert named >= {
        "demo",
        "party new",
        "party card",
        "party trust",
        "party run",
        "party status",
        "job new",
        "job list",
        "job show",
        "job cancel",
        "train",
        "log show",
        "schema",
        "projections rebuild",
        "projections show",
    }


def test_tally_alone_teaches_how_to_begin() -> None:
    out = well(tally()).out
    for step in ("tally demo", "tally party new", "tally party trust", "tally train"):
        assert step in out


def test_the_version_is_told() -> None:
    assert well(tally("--version")).out.startswith("tally ")


def test_it_runs_as_a_module_of_its_own_process() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tallystick", "job", "list", "--as", "nowhere"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert len(run.stderr.splitlines()) == 1
    assert "nowhere is not a party's folder" in run.stderr


def test_a_new_party_without_data_is_told_how_to_name_it(tmp_path: Path) -> None:
    described = ["--role", "participant", "--name", "partner"]
    out = well(tally("party", "new", tmp_path / "partner", *described)).out
    (line,) = [line for line in out.splitlines() if "[source]" in line]
    assert 'file = "customers.csv"' in line
    assert 'url = "' in line
    assert 'query = "SELECT ' in line
