"""The running party in numbers: what Prometheus reads, and nothing of anybody's customers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bus.errors import BrokerUnreachableError
from bus.inspection import BrokerFacts, QueueFacts
from bus.memory import MemoryBroker
from party.errors import SettingsError
from party.metrics import parse_address, serving_metrics
from party.opening import Party
from party.pulse import read_pulses
from party.running import run_party
from tests.brokers import PrivateBroker
from tests.bus.buses import RabbitBus
from tests.party.federation import Node, request, toy_decide, until
from tests.proxies import free_port

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(port: int) -> Samples:
    """What is served, by name and labels."""
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text = answer.read().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[f"tallystick_{name}", frozenset(labels.items())]


@contextmanager
def served(party: Party, looks: list[BrokerFacts | Exception] | None = None) -> Iterator[int]:
    def look() -> BrokerFacts:
        found = (looks or []).pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    endpoint = MemoryBroker().endpoint(party.name)
    with serving_metrics("127.0.0.1:0", party, endpoint, look if looks else None) as port:
        yield port


def test_counts_follow_the_log(parties: dict[str, Party]) -> None:
    bank = parties["bank"]
    with served(bank) as port:
        assert value(read(port), "log_events_total") == 0
        request(bank, job="one")
        first = read(port)
        request(bank, job="two")
        second = read(port)
    requested = {"type": "org.tallystick.TrainingRequested", "issuer": "bank"}
    names = {dict(labels)["type"] for name, labels in first if name == "tallystick_events_total"}
    requested["type"] = next(name for name in names if name.endswith("TrainingRequested"))
    assert value(first, "events_total", **requested) == 1
    assert value(second, "events_total", **requested) == 2
    assert value(second, "log_events_total") == bank.log.head()
    assert value(second, "pump_lag_events", pump="react") == bank.log.head()
    assert value(second, "undelivered_events", recipient="partner", state="pending") == 2
    assert value(second, "rounds_total") == 0
    assert value(second, "broker_connected") == 1
    assert value(second, "disk_free_bytes") > 0


def test_refusals_are_counted_by_reason_and_never_quote_the_sender(
    parties: dict[str, Party],
) -> None:
    with parties["bank"].log.transaction() as transaction:
        for _ in range(3):
            transaction.refuse("mallory", "issuer is not trusted")
    with served(parties["bank"]) as port:
        samples = read(port)
    assert value(samples, "refusals_total", reason="issuer is not trusted") == 3
    assert not any("mallory" in str(labels) for _, labels in samples)


def test_the_queue_is_looked_at_now_and_then_and_may_be_out_of_sight(
    parties: dict[str, Party], monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = BrokerFacts(0.01, None, QueueFacts(7, 1), QueueFacts(2, 0))
    with served(parties["bank"], [facts, BrokerUnreachableError("it went")]) as port:
        first, again = read(port), read(port)
        monkeypatch.setattr("party.metrics.QUEUE_SECONDS", 0)
        later = read(port)
    for samples in (first, again):
        assert value(samples, "queue_messages", queue="own") == 7
        assert value(samples, "queue_messages", queue="dead") == 2
    assert not any(name == "tallystick_queue_messages" for name, _ in later)


def test_a_log_that_cannot_be_read_is_a_number_too(parties: dict[str, Party]) -> None:
    with served(parties["bank"]) as port:
        assert value(read(port), "log_readable") == 1
        parties["bank"].log.close()
        samples = read(port)
    assert value(samples, "log_readable") == 0
    assert not any(name == "tallystick_log_events_total" for name, _ in samples)


def test_a_party_that_runs_answers_until_it_is_stopped(
    parties: dict[str, Party], rabbitmq: PrivateBroker
) -> None:
    """Given a real broker and both processes, then pumps, broker and queue are told."""
    partner, stopping, port = parties["partner"], threading.Event(), free_port()
    settings = partner.folder.settings
    lines = settings.read_text().splitlines()
    broker = [f'broker = "{rabbitmq.amqp_url}"']
    settings.write_text("\n".join(broker + [one for one in lines if one[:8] != "broker ="]))
    bus = RabbitBus(rabbitmq.amqp_url)
    bus.bank, bus.partner = "partner", "bank"
    bank = Node(parties["bank"], MemoryBroker())
    request(bank.party)
    arguments = {
        "endpoint": bus.endpoint("partner"),
        "decide": toy_decide,
        "stopping": stopping,
        "metrics": str(port),
    }
    thread = threading.Thread(target=run_party, args=(partner.folder.path,), kwargs=arguments)
    thread.start()
    until(lambda: len(read_pulses(partner.folder)) == 2, 60)
    samples = read(port)
    stopping.set()
    thread.join()
    bus.endpoint("bank").close()
    bus.close()

    assert value(samples, "broker_connected") == 1
    assert value(samples, "broker_blocked") == 0
    assert value(samples, "queue_messages", queue="own") == 0
    assert value(samples, "pump_failing", process="link", pump="publish") == 0
    assert value(samples, "pump_failing", process="reactor", pump="project") == 0
    assert value(samples, "pulse_age_seconds", process="link") < 60
    assert value(samples, "pulse_age_seconds", process="reactor") < 60
    with pytest.raises(OSError, match="refused"):
        read(port)


@pytest.mark.parametrize("address", ["", "port", "127.0.0.1", "127.0.0.1:99999", "example.org:90"])
def test_a_place_that_cannot_be_is_a_mistake(address: str) -> None:
    with pytest.raises(SettingsError):
        parse_address(address)


def test_loopback_unless_somebody_says_otherwise() -> None:
    assert parse_address("9464") == ("127.0.0.1", 9464)
    assert parse_address("[::1]:9464") == ("::1", 9464)
    assert parse_address("0.0.0.0:9464") == ("0.0.0.0", 9464)


def test_a_port_in_use_is_a_mistake(parties: dict[str, Party]) -> None:
    with (
        served(parties["bank"]) as port,
        pytest.raises(SettingsError, match="choose another port"),
        serving_metrics(str(port), parties["bank"], MemoryBroker().endpoint("bank")),
    ):
        pass
