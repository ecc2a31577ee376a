"""An escrow from its making to an audit, by commands alone (design, sealing)."""

import json
import re
from pathlib import Path

import pytest

from bus import MemoryBroker
from tests.tallystick.federations import (
    ROLES,
    broker_for_commands,
    make_federation,
    running,
    tally,
    well,
    write_job,
)


@pytest.fixture(scope="module")
def escrowed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A federation that trained a job named `spring` with the escrow `supervisor`."""
    folder = tmp_path_factory.mktemp("escrowed")
    make_federation(folder)
    line = well(tally("escrow", "new", "supervisor", "--out", folder)).out.splitlines()[-1]
    assert line.startswith("escrows = ")
    for name in ROLES:
        with (folder / name / "party.toml").open("a") as settings:
            settings.write(f"{line}\n")
    job = write_job(folder / "spring.toml", {"leak_budget = 100.0": f"leak_budget = 100.0\n{line}"})
    broker = MemoryBroker()
    with broker_for_commands(broker), running(broker, folder, ["partner", "arbiter"]):
        well(tally("train", job, "--as", folder / "bank", "--job", "spring"))
    return folder


def test_the_holder_opens_every_payload_of_a_partys_export(escrowed: Path, tmp_path: Path) -> None:
    for name, least in (("bank", 10), ("partner", 5), ("arbiter", 12)):
        export, secret = tmp_path / f"{name}.tally", escrowed / "supervisor.escrow.secret"
        well(tally("log", "export", export, "--as", escrowed / name, "--job", "spring", "--sealed"))
        well(tally("audit", "verify", export))
        out = tmp_path / name
        opened = well(tally("audit", "open", export, "--escrow", secret, "--out", out, "--json"))
        document = json.loads(opened.out)
        assert document["holds"]
        assert len(document["payloads"]) >= least
        files = {path.name: path for path in out.glob("*/*")}
        assert set(files) == {one["commitment"] for one in document["payloads"]}
        assert all(path.stat().st_mode & 0o077 == 0 for path in files.values())


def test_nobody_elses_secret_opens_it(escrowed: Path) -> None:
    arbiter = escrowed / "arbiter" / "keys" / "sealing.key"
    outcome = tally("audit", "open", escrowed / "bank", "--escrow", arbiter)
    assert outcome.code == 2
    assert "names no such escrow" in outcome.err


def test_an_export_without_sealed_payloads_says_how_to_get_them(
    escrowed: Path, tmp_path: Path
) -> None:
    export, secret = tmp_path / "bank.tally", escrowed / "supervisor.escrow.secret"
    well(tally("log", "export", export, "--as", escrowed / "bank", "--payloads"))
    outcome = tally("audit", "open", export, "--escrow", secret)
    assert outcome.code == 2
    assert "tally log export --sealed" in outcome.err


def test_a_payload_that_was_tampered_with_is_told_and_fails(escrowed: Path) -> None:
    secret = escrowed / "supervisor.escrow.secret"
    shown = well(tally("audit", "open", escrowed / "partner", "--escrow", secret))
    assert re.search(r"\d+ payloads opened", shown.out)
    victim = min((escrowed / "partner" / "sealed").glob("*/*"))
    content = victim.read_bytes()
    victim.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    try:
        outcome = tally("audit", "open", escrowed / "partner", "--escrow", secret)
    finally:
        victim.write_bytes(content)
    assert outcome.code == 1
    assert "does not open with the escrow's secret" in outcome.out


def test_an_escrow_is_made_once_and_its_secret_is_its_holders(tmp_path: Path) -> None:
    well(tally("escrow", "new", "supervisor", "--out", tmp_path))
    assert (tmp_path / "supervisor.escrow.secret").stat().st_mode & 0o777 == 0o600
    again = tally("escrow", "new", "supervisor", "--out", tmp_path)
    assert (again.code, "is there already" in again.err) == (2, True)
    bad = tally("escrow", "new", "The Supervisor", "--out", tmp_path)
    assert (bad.code, "cannot name an escrow" in bad.err) == (2, True)
