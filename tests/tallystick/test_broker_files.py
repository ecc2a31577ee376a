"""`tally broker`: files for the administrator of a federation's RabbitMQ."""

import json
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from bus.authority import Authority
from bus.certificates import certificate_facts
from tests.tallystick.federations import ROLES, Outcome, make_party, tally, well

NOW = datetime.now(UTC)


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


def certificates(cards: list[str], out: Path, *options: object) -> Outcome:
    return tally("broker", "certificates", *cards, "--out", out, *options)


def test_everybody_gets_a_folder_of_files_for_nobody_else(cards: list[str], tmp_path: Path) -> None:
    out = tmp_path / "broker"
    well(certificates(cards, out, "--host", "broker.example", "--host", "10.0.0.5"))
    assert {folder.name for folder in (out / "parties").iterdir()} == set(ROLES)
    for name in ROLES:
        assert certificate_facts(out / "parties" / name / "broker.pem").name == name
    for key in out.rglob("*.key"):
        assert key.stat().st_mode & 0o777 == 0o600
    assert len(list(out.rglob("*.key"))) == len(ROLES) + 2
    server = certificate_facts(out / "server" / "broker.pem")
    assert server.hosts == ("broker.example", "10.0.0.5")


def test_certificates_that_hold_are_left_alone_and_others_are_renewed(
    cards: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "broker"
    well(certificates(cards, out, "--host", "broker.example", "--days", 31))
    before = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    again = well(certificates(cards, out, "--host", "broker.example"))
    assert before == {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    assert again.out.count("as it was") == len(ROLES) + 1

    moved = well(certificates(cards, out, "--host", "other.example"))
    assert moved.out.count("as it was") == len(ROLES)
    assert certificate_facts(out / "server" / "broker.pem").hosts == ("other.example",)

    authority = Authority.read(
        (out / "authority" / "authority.key").read_bytes(),
        (out / "authority" / "broker-authority.pem").read_bytes(),
    )
    ending = authority.issue_party("bank", datetime.now(UTC) - timedelta(days=20), 31)
    (out / "parties" / "bank" / "broker.pem").write_bytes(ending.certificate)
    renewed = well(certificates(cards, out, "--host", "other.example"))
    assert renewed.out.count("new") == 1
    assert certificate_facts(out / "parties" / "bank" / "broker.pem").days_left(NOW) > 300


@pytest.mark.parametrize("host", ["", "two words", "amqps://broker", "broker/x", "broker:5671"])
def test_a_certificate_is_for_a_host_and_nothing_more(
    host: str, cards: list[str], tmp_path: Path
) -> None:
    failed = certificates(cards, tmp_path / "broker", "--host", host)
    assert failed.code == 2
    assert "name or address alone" in failed.err
    assert not (tmp_path / "broker").exists()


def test_a_party_may_keep_its_key_at_home(cards: list[str], tmp_path: Path) -> None:
    request, key = tmp_path / "bank.csr", tmp_path / "own.key"
    command = "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=bank"
    made = [*command.split(), "-keyout", str(key), "-out", str(request)]
    subprocess.run(made, check=True, capture_output=True)
    out = tmp_path / "broker"
    well(certificates(cards, out, "--host", "broker.example", "--request", request))
    files = {file.name for file in (out / "parties" / "bank").iterdir()}
    assert files == {"broker.pem", "broker-authority.pem"}
    context = ssl.create_default_context(cafile=out / "parties" / "bank" / "broker-authority.pem")
    context.load_cert_chain(out / "parties" / "bank" / "broker.pem", key)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "no certificate signing request"), (b"-----BEGIN", "no certificate signing request")],
)
def test_what_is_no_request_is_a_mistake(
    cards: list[str], tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "bank.csr").write_bytes(content)
    out = tmp_path / "broker"
    failed = certificates(cards, out, "--host", "b", "--request", tmp_path / "bank.csr")
    assert failed.code == 2
    assert message in failed.err
    assert not out.exists()


def test_a_request_in_a_strangers_name_is_a_mistake(cards: list[str], tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stranger")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, SHA256())
    (tmp_path / "stranger.csr").write_bytes(request.public_bytes(Encoding.PEM))
    failed = certificates(
        cards, tmp_path / "broker", "--host", "b", "--request", tmp_path / "stranger.csr"
    )
    assert failed.code == 2
    assert "asks for 'stranger'" in failed.err
