"""A party whose only way out is a company's HTTP proxy: CONNECT, then TLS with the broker."""

from collections.abc import Iterator
from secrets import token_hex

import pytest

from bus import Endpoint, Outcome, Parcel, open_endpoint
from bus.errors import BrokerSettingsError, ProxyError, ProxyRefusedError
from bus.inspection import inspect_broker
from bus.settings import BrokerSettings, broker_settings, proxy_settings
from tests.brokers import PrivateBroker
from tests.bus.buses import eventually
from tests.proxies import HttpProxy, free_port, http_proxy

NAME = "broker.invalid"  # nobody but the proxy knows this name


@pytest.fixture
def party() -> str:
    return f"bank-{token_hex(4)}"


def through(proxy: str, broker: PrivateBroker) -> BrokerSettings:
    client = broker.authority.issue("tallystick")
    url = broker.tls_url_of("tallystick", broker.authority.file, client)
    named = url.replace("127.0.0.1", NAME) + "&server_name_indication=127.0.0.1"
    settings = broker_settings(named).model_copy(update={"startup_timeout": 10.0})
    return settings.model_copy(update={"proxy": proxy_settings(proxy), "longest_pause": 0.5})


@pytest.fixture
def proxy(rabbitmq: PrivateBroker) -> Iterator[HttpProxy]:
    with http_proxy(rabbitmq.tls_port, login="anna:o p:@") as proxy:
        yield proxy


def send_to_oneself(endpoint: Endpoint, number: int) -> None:
    outcomes: list[Outcome] = []
    parcel = Parcel(endpoint.name, endpoint.name, "envelope", {"number": number}, b"body")
    endpoint.send(parcel, outcomes.append)
    received = None
    while received != parcel:  # an acknowledgement that a cut swallowed brings the last one again
        delivery = endpoint.receive(20)
        assert delivery is not None
        received = delivery.parcel
        delivery.acknowledge()
    assert eventually(lambda: outcomes == [Outcome.CONFIRMED])


def test_everything_goes_through_the_tunnel_and_comes_again_after_a_cut(
    rabbitmq: PrivateBroker, proxy: HttpProxy, party: str
) -> None:
    settings = through(f"http://anna:o%20p%3A%40@127.0.0.1:{proxy.port}", rabbitmq)
    endpoint = open_endpoint(settings, party)
    try:
        send_to_oneself(endpoint, 1)
        before = endpoint.connections
        proxy.cut()
        assert eventually(lambda: not endpoint.connected)
        proxy.heal()
        assert eventually(lambda: endpoint.connections > before)
        send_to_oneself(endpoint, 2)
        facts = inspect_broker(settings, party)
    finally:
        endpoint.close()
    assert set(proxy.asked) == {f"CONNECT {NAME}:{rabbitmq.tls_port} HTTP/1.1"}
    assert facts.certificate is not None


def test_a_proxy_that_wants_a_login_says_so(
    rabbitmq: PrivateBroker, proxy: HttpProxy, party: str
) -> None:
    for login, word in (("", "without login"), ("anna:guess@", "user and password")):
        settings = through(f"http://{login}127.0.0.1:{proxy.port}", rabbitmq)
        with pytest.raises(ProxyRefusedError, match=rf"{word}.*407.*PROXY_PASSWORD") as told:
            open_endpoint(settings, party)
        assert "guess" not in str(told.value)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ("403 Forbidden", ProxyRefusedError, rf"tunnel to {NAME}.*403.*must allow CONNECT"),
        ("502 Bad Gateway", ProxyError, r"does not reach.*502.*whether the broker runs"),
        ("what?", ProxyError, "no HTTP proxy"),
    ],
)
def test_what_a_proxy_says_is_told_with_a_remedy(
    rabbitmq: PrivateBroker, party: str, answer: str, error: type[Exception], words: str
) -> None:
    with http_proxy(rabbitmq.tls_port, answer=answer) as proxy:
        settings = through(f"http://127.0.0.1:{proxy.port}", rabbitmq)
        with pytest.raises(error, match=words):
            inspect_broker(settings, party)


def test_a_proxy_that_is_not_there_is_named(rabbitmq: PrivateBroker, party: str) -> None:
    port = free_port()
    for place in (f"127.0.0.1:{port}", f"proxy.invalid:{port}"):
        with pytest.raises(ProxyError, match=rf"no connection to the proxy {place}.*setting proxy"):
            inspect_broker(through(f"http://{place}", rabbitmq), party)


@pytest.mark.parametrize(
    "url", ["", "proxy:3128", "https://proxy:3128", "http://", "http://a:99999", "http://a/b"]
)
def test_an_address_that_is_no_proxys_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(BrokerSettingsError, match="write http://HOST:PORT"):
        proxy_settings(url)
