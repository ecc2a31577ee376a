"""The files of docker/rabbitmq/, as far as they can be tried without Docker.

Configuration, definitions and scripts start every private broker of these tests; here is
what a started broker does not show.
"""

import json
import re
import subprocess
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

import pytest

from bus.topology import DEAD_EXCHANGE, EXCHANGE, dead_queue_name, queue_name
from tests.brokers import FILES


def run(script: str, *arguments: str, password: str = "", **environment: str) -> tuple[int, str]:
    result = subprocess.run(
        [str(FILES / script), *arguments],
        input=password,
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout + result.stderr


@pytest.mark.parametrize("password", ["secret", "with 'quotes' \\ and ümläut", "%s%d"])
def test_the_password_is_written_salted_and_hashed_only(tmp_path: Path, password: str) -> None:
    status, output = run(
        "entrypoint.sh",
        "true",
        TALLYSTICK_BROKER_PASSWORD=password,
        TALLYSTICK_BROKER_DEFINITIONS=str(tmp_path),
    )

    assert (status, output) == (0, "")
    text = (tmp_path / "20-user.json").read_text()
    user = json.loads(text)["users"][0]
    stored = b64decode(user["password_hash"])
    assert user["name"] == "tallystick"
    assert stored[4:] == sha256(stored[:4] + password.encode()).digest()
    assert password not in text


def test_the_password_can_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")

    status, _ = run(
        "entrypoint.sh",
        "true",
        TALLYSTICK_BROKER_PASSWORD_FILE=str(tmp_path / "password"),
        TALLYSTICK_BROKER_DEFINITIONS=str(tmp_path),
        TALLYSTICK_BROKER_USER="bank",
    )

    user = json.loads((tmp_path / "20-user.json").read_text())["users"][0]
    stored = b64decode(user["password_hash"])
    assert (status, user["name"]) == (0, "bank")
    assert stored[4:] == sha256(stored[:4] + b"secret").digest()


def test_with_a_federations_definitions_there_is_no_other_user(tmp_path: Path) -> None:
    (tmp_path / "30-federation.json").write_text("{}")

    status, output = run(
        "entrypoint.sh", "echo", "started", TALLYSTICK_BROKER_DEFINITIONS=str(tmp_path)
    )

    assert (status, output) == (0, "started\n")
    assert [file.name for file in tmp_path.iterdir()] == ["30-federation.json"]


def test_a_broker_without_a_password_does_not_start(tmp_path: Path) -> None:
    status, output = run(
        "entrypoint.sh", "echo", "started", TALLYSTICK_BROKER_DEFINITIONS=str(tmp_path)
    )

    assert status == 1
    assert "Set TALLYSTICK_BROKER_PASSWORD" in output
    assert "started" not in output


@pytest.mark.parametrize("name", ["", 'a"b', "Bank", "a b", "../a"])
def test_a_user_has_a_plain_name(name: str) -> None:
    status, output = run("user-definition.sh", name, password="secret")

    assert status == 1
    assert "A user name is made of" in output


def test_definitions_name_what_the_bus_declares() -> None:
    definitions = json.loads((FILES / "definitions.json").read_text())
    exchanges = {(each["name"], each["type"], each["durable"]) for each in definitions["exchanges"]}
    pattern = definitions["policies"][0]["pattern"]

    assert exchanges == {(EXCHANGE, "topic", True), (DEAD_EXCHANGE, "topic", True)}
    assert re.search(pattern, dead_queue_name("bank-2"))
    assert not re.search(pattern, queue_name("bank-2"))
    assert "users" not in definitions


def test_the_image_copies_files_that_exist() -> None:
    copies = re.findall(
        r"^COPY (?:--\S+ )?(.*) \S+$", (FILES / "Dockerfile").read_text(), re.MULTILINE
    )
    named = [source for sources in copies for source in sources.split()]

    assert set(named) == {
        "conf.d/",
        "enabled_plugins",
        "definitions.json",
        "entrypoint.sh",
        "user-definition.sh",
    }
    assert all((FILES / source).exists() for source in named)
