"""As a federation should run: TLS on one port, certificates for logins, narrow permissions."""

import shutil
from pathlib import Path

from tests.brokers import PrivateBroker, private_broker
from tests.end_to_end.test_real_federation import (
    ROLES,
    model_of,
    parties_at_work,
    set_up,
    train,
)
from tests.tallystick.federations import tally, well


def prepare_broker(folder: Path) -> Path:
    """What an administrator makes of the members' cards."""
    cards = [option for name in ROLES for option in ("--card", folder / f"{name}.json")]
    out = folder / "broker"
    well(tally("broker", "definitions", *cards, "--out", out))
    well(tally("broker", "certificates", *cards, "--out", out, "--host", "127.0.0.1"))
    return out


def use_certificate(party: Path, files: Path, broker: PrivateBroker, plain: str) -> None:
    """What a party does with its files: copy them to its keys, and name them in party.toml."""
    for file in files.iterdir():
        shutil.copy2(file, party / "keys")
    url = (
        f"amqps://127.0.0.1:{broker.tls_port}/tallystick?cacertfile=keys/broker-authority.pem"
        "&certfile=keys/broker.pem&keyfile=keys/broker.key"
    )
    settings = party / "party.toml"
    text = settings.read_text()
    assert plain in text
    settings.write_text(text.replace(plain, url))


def test_a_federation_with_certificates_gives_the_demos_model_to_the_bit(
    rabbitmq: PrivateBroker, postgres_url: str, finished_demo: Path, tmp_path: Path
) -> None:
    """Given cards, definitions and certificates and no password anywhere, then one model."""
    set_up(tmp_path, rabbitmq, postgres_url)
    out = prepare_broker(tmp_path)
    with private_broker(federation=out) as broker:
        for name in ROLES:
            use_certificate(tmp_path / name, out / "parties" / name, broker, rabbitmq.amqp_url)
        with parties_at_work(tmp_path):
            done = train(tmp_path, "--json")
        listed = broker.control("list_queues", "name", "messages", "--vhost", "tallystick")
    assert done.returncode == 0, done.stderr
    for name in ("bank", "partner"):
        assert model_of(tmp_path, name) == model_of(finished_demo, name)
    queues = [line.split() for line in listed.splitlines() if line.startswith("tallystick.")]
    depths = {queue: int(messages) for queue, messages in queues}
    assert set(depths) >= {f"tallystick.{name}" for name in ROLES}
    assert {depths[f"tallystick.{name}.dead"] for name in ROLES} == {0}
