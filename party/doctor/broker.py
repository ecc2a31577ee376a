"""The way to the broker: reach, login, certificates, the party's queue."""

from collections.abc import Iterator
from datetime import UTC, datetime

from bus.certificates import certificate_facts
from bus.errors import BrokerError, BrokerSettingsError
from bus.inspection import BrokerFacts, inspect_broker
from bus.settings import BrokerSettings, is_loopback
from bus.topology import dead_queue_name, queue_name
from party.doctor.finding import Finding, explained, failing, warning, well
from party.errors import SettingsError
from party.folder import PartyFolder
from party.settings import PartySettings, broker_of

FEW_DAYS = 30
DEEP = 10_000


def check_broker(folder: PartyFolder, settings: PartySettings, *, runs: bool) -> Iterator[Finding]:
    try:
        broker = broker_of(settings, folder)
    except (SettingsError, BrokerSettingsError) as error:
        yield explained("broker", error)
        return
    yield from _check_own_certificate(broker)
    try:
        facts = inspect_broker(broker, settings.name)
    except BrokerError as error:
        yield explained("broker", error)
        return
    milliseconds = 1000 * facts.login_seconds
    way = f" through the proxy {broker.proxy.address}" if broker.proxy else ""
    yield well("broker", f"{broker.address}{way} lets this party in, {milliseconds:.0f} ms")
    yield from _check_way(broker, facts)
    yield from _check_queues(settings.name, facts, runs=runs)


def _check_own_certificate(broker: BrokerSettings) -> Iterator[Finding]:
    """What is over is said by the login; here, what will be."""
    if broker.tls is None or broker.tls.certfile is None:
        return
    try:
        left = certificate_facts(broker.tls.certfile).days_left(datetime.now(UTC))
    except BrokerError as error:
        yield explained("TLS", error)
        return
    what = f"{broker.tls.certfile} holds for another {left} days"
    if left < FEW_DAYS:
        yield warning("TLS", what, "ask the administrator: tally broker certificates renews it")
    else:
        yield well("TLS", what)


def _check_way(broker: BrokerSettings, facts: BrokerFacts) -> Iterator[Finding]:
    if facts.certificate is not None:
        left = facts.certificate.days_left(datetime.now(UTC))
        what = f"the broker's certificate holds for another {left} days"
        if left < FEW_DAYS:
            yield warning("TLS", what, "tell its administrator to renew it")
        else:
            yield well("TLS", what)
    elif is_loopback(broker.host):
        yield well("TLS", "none: the broker is on this machine")
    else:
        what = "none: password and envelopes travel in the clear"
        yield warning("TLS", what, "use amqps:// with a certificate (tally broker certificates)")


def _check_queues(name: str, facts: BrokerFacts, *, runs: bool) -> Iterator[Finding]:
    queue, dead = facts.queue, facts.dead_letters
    if queue is None:
        what = f"{queue_name(name)} does not exist"
        yield warning("queue", what, "the party makes it when it first runs, or the administrator")
    elif runs and queue.readers == 0:
        what = f"{queue.messages} messages wait in {queue_name(name)} and nobody reads them"
        yield failing("queue", what, "look at the party's output")
    elif queue.messages > DEEP:
        what = f"{queue.messages} messages wait in {queue_name(name)}"
        yield warning("queue", what, "run the party; senders wait once the queue is full")
    else:
        yield well("queue", f"{queue.messages} messages wait in {queue_name(name)}")
    if dead is not None and dead.messages:
        what = f"{dead.messages} messages in {dead_queue_name(name)}"
        yield warning("queue", what, "what this party refused: see refusals; purge them when read")
