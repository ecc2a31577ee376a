"""TLS with client certificates as the login (SASL EXTERNAL), against a federation's real broker.

The broker runs with docker/rabbitmq/federation.conf and the files that `tally broker` writes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bus import Endpoint, Outcome, Parcel, open_endpoint
from bus.authority import Authority, Issued
from bus.errors import (
    AccessRefusedError,
    BrokerError,
    BrokerTlsError,
    BrokerUnreachableError,
    LoginRefusedError,
)
from tests.brokers import PrivateBroker, private_broker
from tests.bus.buses import eventually
from tests.proxies import tcp_proxy
from tests.tallystick.federations import make_party, tally, well

NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Federation:
    """A broker, and where each party's certificate files are."""

    broker: PrivateBroker
    folder: Path

    @property
    def authority(self) -> Authority:
        place = self.folder / "authority"
        key, certificate = place / "authority.key", place / "broker-authority.pem"
        return Authority.read(key.read_bytes(), certificate.read_bytes())

    def url(self, name: str, *, port: int | None = None, login: str = "", options: str = "") -> str:
        files = self.folder / "parties" / name
        return (
            f"amqps://{login}127.0.0.1:{port or self.broker.tls_port}/tallystick"
            f"?cacertfile={files}/broker-authority.pem"
            f"&certfile={files}/broker.pem&keyfile={files}/broker.key{options}"
        )


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    folder = tmp_path_factory.mktemp("federation")
    cards = []
    for name, role in (("bank", "local"), ("partner", "participant")):
        (folder / f"{name}.csv").write_text("id,a,y\n1,2,0\n")
        make_party(folder, name, role)
        cards += ["--card", folder / f"{name}.json"]
    out = folder / "broker"
    well(tally("broker", "definitions", *cards, "--out", out))
    well(tally("broker", "certificates", *cards, "--out", out, "--host", "127.0.0.1"))
    with private_broker(federation=out) as broker:
        yield Federation(broker, out)


def keep(issued: Issued, folder: Path) -> str:
    """Files of a certificate; returns what an address says of them."""
    assert issued.key is not None
    (folder / "own.pem").write_bytes(issued.certificate)
    (folder / "own.key").write_bytes(issued.key)
    return f"certfile={folder}/own.pem&keyfile={folder}/own.key"


def address(federation: Federation, certificate: str, login: str = "") -> str:
    authority = federation.folder / "parties" / "bank" / "broker-authority.pem"
    place = f"{login}127.0.0.1:{federation.broker.tls_port}/tallystick"
    return f"amqps://{place}?cacertfile={authority}&{certificate}"


def refused(url: str, party: str = "bank") -> BrokerError:
    with pytest.raises(BrokerError) as raised:
        open_endpoint(url, party)
    return raised.value


def exchange(sender: Endpoint, recipient: Endpoint, number: int) -> None:
    """One parcel, at its destination and confirmed; an earlier one may come once more."""
    outcomes: list[Outcome] = []
    parcel = Parcel(sender.name, recipient.name, "envelope", {"number": number}, bytes(2000))
    sender.send(parcel, outcomes.append)
    assert eventually(lambda: bool(outcomes))
    arrived: str | int = 0
    while arrived != number:
        delivery = recipient.receive(30)
        assert delivery is not None
        arrived = delivery.parcel.headers["number"]
        assert arrived in range(1, number + 1)
        delivery.acknowledge()
    assert outcomes == [Outcome.CONFIRMED]


def test_a_certificate_is_all_a_party_needs(federation: Federation) -> None:
    bank, partner = (open_endpoint(federation.url(name), name) for name in ("bank", "partner"))
    exchange(bank, partner, 1)
    exchange(partner, bank, 2)
    for endpoint in (bank, partner):
        assert endpoint.last_error is None
        endpoint.close()


def test_there_is_no_port_without_tls(federation: Federation) -> None:
    url = f"amqp://bank:bank@127.0.0.1:{federation.broker.port}/tallystick?startup_timeout=0.5"
    assert isinstance(refused(url), BrokerUnreachableError)


def test_a_password_is_no_login_here(federation: Federation) -> None:
    """Plain password where only EXTERNAL is allowed, whether or not a certificate is shown too."""
    error = refused(federation.url("bank", login="bank:guess@"))
    assert isinstance(error, LoginRefusedError)
    assert "certificates only" in str(error)


def test_without_a_certificate_nobody_gets_in(federation: Federation) -> None:
    authority = federation.folder / "parties" / "bank" / "broker-authority.pem"
    place = f"127.0.0.1:{federation.broker.tls_port}/tallystick?cacertfile={authority}"
    for login in ("", "bank:guess@"):
        error = refused(f"amqps://{login}{place}")
        assert isinstance(error, BrokerTlsError)
        assert "client certificate" in str(error)


def test_a_certificate_of_another_authority_is_refused(
    federation: Federation, tmp_path: Path
) -> None:
    rogue = Authority.create("Tallystick federation", NOW)
    error = refused(address(federation, keep(rogue.issue_party("bank", NOW, 30), tmp_path)))
    assert isinstance(error, BrokerTlsError)
    assert "authority that it trusts" in str(error)


def test_a_broker_of_another_authority_is_not_believed(
    federation: Federation, tmp_path: Path
) -> None:
    rogue = Authority.create("Tallystick federation", NOW)
    (tmp_path / "rogue.pem").write_bytes(rogue.issued.certificate)
    files = federation.folder / "parties" / "bank"
    place = f"127.0.0.1:{federation.broker.tls_port}/tallystick?cacertfile={tmp_path}/rogue.pem"
    error = refused(f"amqps://{place}&certfile={files}/broker.pem&keyfile={files}/broker.key")
    assert isinstance(error, BrokerTlsError)
    assert "certificate verify failed" in str(error)


def test_a_broker_under_another_name_is_not_believed(federation: Federation) -> None:
    error = refused(federation.url("bank", options="&server_name_indication=elsewhere.example"))
    assert isinstance(error, BrokerTlsError)
    assert "elsewhere.example" in str(error)


@pytest.mark.parametrize(
    ("issued_at", "message"),
    [
        (NOW - timedelta(days=40), r"own\.pem expired on .* new one"),
        (NOW + timedelta(days=2), r"own\.pem is valid from .* check the clock"),
    ],
)
def test_a_certificate_out_of_time_is_named_with_its_date(
    federation: Federation, tmp_path: Path, issued_at: datetime, message: str
) -> None:
    issued = federation.authority.issue_party("bank", issued_at, 31)
    with pytest.raises(BrokerTlsError, match=message):
        open_endpoint(address(federation, keep(issued, tmp_path)), "bank")


def test_the_certificate_of_another_party_is_noticed_before_it_is_used(
    federation: Federation,
) -> None:
    with pytest.raises(BrokerTlsError, match="certificate of 'partner', and this is 'bank'"):
        open_endpoint(federation.url("partner"), "bank")


def test_who_says_it_is_another_gets_nothing_with_its_own_certificate(
    federation: Federation,
) -> None:
    """The broker's word: with the partner's certificate nobody reads the bank's queue."""
    error = refused(federation.url("partner", login="partner@"), "bank")
    assert isinstance(error, AccessRefusedError)
    assert "tallystick.bank" in str(error)


def test_a_certificate_without_a_user_is_refused(federation: Federation, tmp_path: Path) -> None:
    issued = federation.authority.issue_party("newcomer", NOW, 30)
    error = refused(address(federation, keep(issued, tmp_path)), "newcomer")
    assert isinstance(error, LoginRefusedError)
    assert "common name" in str(error)


def test_a_brokers_certificate_is_no_login(federation: Federation, tmp_path: Path) -> None:
    issued = federation.authority.issue_server(["bank"], NOW, 30)
    error = refused(address(federation, keep(issued, tmp_path)))
    assert isinstance(error, BrokerTlsError)


def test_one_outbound_port_through_a_proxy_is_enough(federation: Federation) -> None:
    """Given a proxy on a port of its own, when it is cut and healed, then both sides go on."""
    with tcp_proxy(federation.broker.tls_port) as proxy:
        urls = {name: federation.url(name, port=proxy.port) for name in ("bank", "partner")}
        bank, partner = (open_endpoint(url, name) for name, url in urls.items())
        exchange(bank, partner, 1)
        proxy.cut()
        assert eventually(lambda: not bank.connected and not partner.connected)
        proxy.heal()
        assert eventually(lambda: bank.connected and partner.connected)
        exchange(bank, partner, 2)
        assert proxy.connections >= 8  # two for each endpoint, twice
        for endpoint in (bank, partner):
            endpoint.close()


def test_a_broker_behind_a_proxy_of_another_name_is_checked_by_its_own(
    federation: Federation,
) -> None:
    with tcp_proxy(federation.broker.tls_port) as proxy:
        url = federation.url("bank", port=proxy.port).replace("127.0.0.1", "localhost")
        assert isinstance(refused(url), BrokerTlsError)
        endpoint = open_endpoint(f"{url}&server_name_indication=127.0.0.1", "bank")
        assert endpoint.connected
        endpoint.close()
