"""The broker's address as people write it."""

from pathlib import Path

import pytest

from bus import broker_settings
from bus.errors import BrokerSettingsError


def test_an_address_in_full() -> None:
    settings = broker_settings(
        "amqps://bank:p%40ss@broker.example:5999/my%2Fhost?cacertfile=/etc/ca.pem&heartbeat=7"
    )

    assert (settings.host, settings.port) == ("broker.example", 5999)
    assert (settings.user, settings.virtual_host) == ("bank", "my/host")
    assert settings.password is not None
    assert settings.password.get_secret_value() == "p@ss"
    assert settings.tls is not None
    assert settings.tls.cacertfile == Path("/etc/ca.pem")
    assert settings.heartbeat == 7


def test_what_an_address_may_leave_out() -> None:
    plain, tls = broker_settings("amqp://localhost"), broker_settings("amqps://localhost/")

    assert (plain.port, plain.virtual_host, plain.user, plain.tls) == (5672, "/", None, None)
    assert tls.port == 5671
    assert tls.tls is not None


def test_settings_show_no_password() -> None:
    settings = broker_settings("amqp://bank:s3cret@localhost/")

    assert "s3cret" not in f"{settings!r} {settings} {settings.address}"
    assert "s3cret" not in settings.model_dump_json()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://u:s3cret@localhost/", "must begin with amqp"),
        ("localhost:5672", "must begin with amqp"),
        ("amqp://u:s3cret@localhost:port/", "cannot be read"),
        ("amqp://u:s3cret@[localhost/", "cannot be read"),
        ("amqp://u:s3cret@localhost:0/?heartbeat", "cannot be read"),
        ("amqp://u:s3cret@/vhost", "host"),
        ("amqp://u:s3cret@localhost/?hartbeat=9", "unknown option 'hartbeat'"),
        ("amqp://u:s3cret@localhost/?heartbeat=often", "heartbeat"),
        ("amqp://u:s3cret@localhost/?heartbeat=0", "heartbeat"),
        ("amqp://u:s3cret@localhost/?certfile=client.pem", "amqps"),
        ("amqp://u:s3cret@broker.example/?plaintext=yes", "plaintext=allowed"),
    ],
)
def test_a_bad_address_is_explained_without_repeating_it(url: str, message: str) -> None:
    with pytest.raises(BrokerSettingsError, match=message) as refused:
        broker_settings(url)

    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    "host", ["broker.example", "10.0.0.5", "[2001:db8::1]", "localhost.example"]
)
def test_another_machine_is_not_spoken_to_in_the_clear(host: str) -> None:
    with pytest.raises(BrokerSettingsError, match="use amqps://") as refused:
        broker_settings(f"amqp://bank:s3cret@{host}/tallystick")
    assert "s3cret" not in str(refused.value)

    meant = broker_settings(f"amqp://bank:s3cret@{host}/tallystick?plaintext=allowed")
    assert meant.tls is None
    assert broker_settings(f"amqps://bank:s3cret@{host}/tallystick").tls is not None


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "[::1]", "LOCALHOST"])
def test_this_machine_may_be(host: str) -> None:
    assert broker_settings(f"amqp://bank:s3cret@{host}/tallystick").tls is None


def test_files_of_certificates_begin_at_the_partys_folder() -> None:
    url = "amqps://broker.example/v?cacertfile=keys/ca.pem&certfile=/etc/own.pem"
    settings = broker_settings(url).relative_to(Path("/party"))
    assert settings.tls is not None
    assert settings.tls.cacertfile == Path("/party/keys/ca.pem")
    assert settings.tls.certfile == Path("/etc/own.pem")
    assert settings.tls.keyfile is None
