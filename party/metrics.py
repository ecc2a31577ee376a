"""The running party in numbers, for Prometheus: counts and lags, no customer and no value of a row.

Everything is read when it is asked for, from the log and from the pulses; nothing is counted twice.
"""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from ipaddress import ip_address
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bus.endpoint import Endpoint
from bus.errors import BusError
from bus.inspection import BrokerFacts
from bus.settings import is_loopback
from events.rounds import RoundCompleted
from party.errors import SettingsError
from party.opening import Party
from party.projecting import open_views
from party.pulse import broker_pulse, read_pulses
from party.status import pump_states
from store.errors import StoreError

QUEUE_SECONDS = 30.0  # between two looks at the broker, each of which logs in
DEFAULT_HOST = "127.0.0.1"

Values = Mapping[Any, float]  # by the labels' values, a tuple

log = structlog.get_logger()


@contextmanager
def serving_metrics(
    address: str,
    party: Party,
    endpoint: Endpoint,
    look: Callable[[], BrokerFacts] | None = None,
) -> Iterator[int]:
    """Answer GET /metrics at `HOST:PORT` or `PORT` until left; gives the port. SettingsError."""
    host, port = parse_address(address)
    if not is_loopback(host):
        log.warning("metrics_for_all", host=host, note="names of parties and jobs' pace are shown")
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(PartyMetrics(party, endpoint, look))
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise SettingsError(
            f"metrics cannot be served at {host}:{port} ({error.strerror}): choose another port"
        ) from error
    try:
        yield int(server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def parse_address(address: str) -> tuple[str, int]:
    """Loopback unless a host is named. Raises SettingsError."""
    host, _, port = address.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise SettingsError(f"{address!r} is no place for metrics: write HOST:PORT or PORT")
    host = host.strip("[]") or DEFAULT_HOST
    try:
        ip_address(host)
    except ValueError:
        if host != "localhost":
            raise SettingsError(
                f"{host!r} is no address of this machine: write 127.0.0.1:{port}, say"
            ) from None
    return host, int(port)


class PartyMetrics(Collector):
    """Asked from Prometheus' threads, one at a time."""

    def __init__(
        self, party: Party, endpoint: Endpoint, look: Callable[[], BrokerFacts] | None
    ) -> None:
        self._party = party
        self._endpoint = endpoint
        self._look = look
        self._counted_to = 0
        self._events: Counter[tuple[str, str]] = Counter()
        self._looked_at = float("-inf")
        self._facts: BrokerFacts | None = None

    def describe(self) -> Iterable[Metric]:
        """Nothing before the first question: the registry need not ask the log at start."""
        return ()

    def collect(self) -> Iterable[Metric]:
        try:
            metrics = [*self._of_the_log(), *self._of_the_processes(), *self._of_the_broker()]
        except StoreError as error:
            log.warning("metrics_without_log", error=str(error))
            metrics = []
        works = GaugeMetricFamily("tallystick_log_readable", "Whether the log can be read")
        works.add_metric([], float(bool(metrics)))
        return [works, *metrics]

    def _of_the_log(self) -> Iterator[Metric]:
        party = self._party
        head = party.log.head()
        self._events.update(party.log.type_counts(self._counted_to, head))
        self._counted_to = head
        yield _counter("log_events", "Events in the log", {(): head})
        events = _counter("events", "Events by type and issuer", self._events, "type", "issuer")
        yield events
        rounds = self._rounds()
        yield _counter("rounds", "Rounds of training that were completed", {(): rounds})
        with closing(open_views(party)) as views:
            states = pump_states(party, head, views.position())
        lags = {(pump.name,): pump.lag for pump in states}
        yield _gauge("pump_lag_events", "What a pump still has to do, in events", lags, "pump")
        waiting: Counter[tuple[str, ...]] = Counter()
        for one in party.log.undelivered_counts():
            waiting[one.recipient, one.state] += one.events
        what = "Events that a recipient has not confirmed; parked ones were given up"
        yield _gauge("undelivered_events", what, waiting, "recipient", "state")
        refused: Counter[tuple[str, ...]] = Counter()
        for refusal in party.log.refusals():
            refused[refusal.reason,] += refusal.count
        yield _counter("refusals", "Messages that did not enter the log", refused, "reason")
        held = len(party.log.held_streams())
        yield _gauge("held_streams", "Streams with an event that waits for another", {(): held})
        free = shutil.disk_usage(party.folder.path).free
        yield _gauge("disk_free_bytes", "Room where the party's folder is", {(): free})

    def _rounds(self) -> int:
        kind = RoundCompleted.type_name()
        return sum(count for (name, _), count in self._events.items() if name == kind)

    def _of_the_processes(self) -> Iterator[Metric]:
        pulses = read_pulses(self._party.folder)
        pumps = {(each.process, pump.name): pump for each in pulses for pump in each.pumps}
        failures = {place: pump.failures for place, pump in pumps.items()}
        failing = {place: pump.failing or not pump.alive for place, pump in pumps.items()}
        labels = ("process", "pump")
        yield _counter("pump_failures", "Steps of a pump that failed", failures, *labels)
        yield _gauge("pump_failing", "Whether a pump is dead or failing", failing, *labels)
        ages = {(pulse.process,): max(0.0, pulse.age) for pulse in pulses}
        yield _gauge("pulse_age_seconds", "Since a process gave a sign of life", ages, "process")

    def _of_the_broker(self) -> Iterator[Metric]:
        state = broker_pulse(self._endpoint)
        yield _gauge("broker_connected", "Whether the broker is reached", {(): state.connected})
        is_blocked = state.blocked is not None
        yield _gauge("broker_blocked", "Whether an alarm stops sending", {(): is_blocked})
        facts = self._broker_facts() if state.connected else None
        if facts is None:
            return
        queues = {"own": facts.queue, "dead": facts.dead_letters}
        depths = {(name,): queue.messages for name, queue in queues.items() if queue}
        yield _gauge("queue_messages", "Messages that wait for this party", depths, "queue")
        if facts.certificate is not None:
            ends = facts.certificate.not_after.timestamp()
            what = "When the broker's certificate is over"
            yield _gauge("broker_certificate_ends_seconds", what, {(): ends})

    def _broker_facts(self) -> BrokerFacts | None:
        if self._look is not None and time.monotonic() - self._looked_at >= QUEUE_SECONDS:
            self._looked_at = time.monotonic()
            try:
                self._facts = self._look()
            except BusError as error:
                self._facts = None
                log.warning("queue_not_seen", error=str(error))
        return self._facts


def _gauge(name: str, text: str, values: Values, *labels: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"tallystick_{name}", text, labels=labels)
    for place, value in sorted(values.items()):
        family.add_metric(place, float(value))
    return family


def _counter(name: str, text: str, values: Values, *labels: str) -> CounterMetricFamily:
    family = CounterMetricFamily(f"tallystick_{name}", text, labels=labels)
    for place, value in sorted(values.items()):
        family.add_metric(place, float(value))
    return family
