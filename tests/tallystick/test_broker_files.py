"""`tally broker`: files for the administrator of a federation's RabbitMQ."""

import json
from pathlib import Path

import pytest

from tests.tallystick.federations import ROLES, make_party, tally, well


@pytest.fixture
def cards(tmp_path: Path) -> list[str]:
    """Options that name the cards of a bank, a partner and an arbiter."""
    options = []
    for name, role in ROLES.items():
        (tmp_path / f"{name}.csv").write_text("id,a,y\n1,2,0\n")
        make_party(tmp_path, name, role)
        options += ["--card", str(tmp_path / f"{name}.json")]
    return options


def test_definitions_by_certificate_write_no_password_at_all(
    cards: list[str], tmp_path: Path
) -> None:
    done = well(tally("broker", "definitions", *cards, "--out", tmp_path / "broker"))
    document = json.loads((tmp_path / "broker" / "definitions.json").read_text())
    assert {user["name"] for user in document["users"]} == set(ROLES)
    assert {user["password_hash"] for user in document["users"]} == {""}
    assert [file.name for file in (tmp_path / "broker").iterdir()] == ["definitions.json"]
    assert done.out.count("certificate") == len(ROLES)


def test_a_password_goes_to_a_file_that_its_owner_alone_can_read(
    cards: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "broker"
    done = well(tally("broker", "definitions", *cards, "--out", out, "--password", "partner"))
    (file,) = (out / "passwords").iterdir()
    assert str(file) in done.out
    assert file.stat().st_mode & 0o777 == 0o600
    password = file.read_text().strip()
    assert len(password) >= 32
    assert password not in done.out + done.err + (out / "definitions.json").read_text()


def test_a_second_run_changes_nothing(cards: list[str], tmp_path: Path) -> None:
    out = tmp_path / "broker"
    command = ("broker", "definitions", *cards, "--out", out, "--passwords")
    well(tally(*command))
    before = {file: file.read_text() for file in out.rglob("*") if file.is_file()}
    well(tally(*command))
    assert before == {file: file.read_text() for file in out.rglob("*") if file.is_file()}
    assert len(before) == 1 + len(ROLES)


def test_a_password_for_a_stranger_is_a_mistake_and_writes_nothing(
    cards: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "broker"
    failed = tally("broker", "definitions", *cards, "--out", out, "--password", "stranger")
    assert failed.code == 2
    assert "no card of stranger is given" in failed.err
    assert not out.exists()
