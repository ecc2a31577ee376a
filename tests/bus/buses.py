"""Both buses behind one face, for the contract suite."""

from collections.abc import Callable
from secrets import token_hex
from typing import Protocol

import pika

from bus import BrokerSettings, DeadLetter, Endpoint, MemoryBroker, broker_settings, open_endpoint
from bus.message import REASON, ROUTE, parcel_from
from bus.topology import dead_queue_name, queue_name

DELIVERY_LIMIT = 3
PREFETCH = 8


class Bus(Protocol):
    """A bus with fresh party names; parties exist once an endpoint was opened."""

    bank: str
    partner: str

    def endpoint(self, party: str) -> Endpoint: ...
    def dead_letters(self, party: str) -> list[DeadLetter]: ...
    def close(self) -> None: ...


class MemoryBus:
    bank, partner = "bank", "partner"

    def __init__(self) -> None:
        self._broker = MemoryBroker(delivery_limit=DELIVERY_LIMIT, prefetch=PREFETCH)
        self._endpoints: list[Endpoint] = []

    def endpoint(self, party: str) -> Endpoint:
        self._endpoints.append(self._broker.endpoint(party))
        return self._endpoints[-1]

    def dead_letters(self, party: str) -> list[DeadLetter]:
        return self._broker.dead_letters(party)

    def close(self) -> None:
        for endpoint in self._endpoints:
            endpoint.close()


class RabbitBus:
    """Queues of its own on a shared broker, deleted afterwards."""

    def __init__(self, url: str) -> None:
        suffix = token_hex(4)
        self.bank, self.partner = f"bank-{suffix}", f"partner-{suffix}"
        self._url = url
        self._endpoints: list[Endpoint] = []

    def endpoint(self, party: str) -> Endpoint:
        self._endpoints.append(open_endpoint(settings_for_tests(self._url), party))
        return self._endpoints[-1]

    def dead_letters(self, party: str) -> list[DeadLetter]:
        found = []
        with pika.BlockingConnection(pika.URLParameters(self._url)) as connection:
            channel = connection.channel()
            while (message := channel.basic_get(dead_queue_name(party)))[0] is not None:
                _, properties, body = message
                reason, route = reason_and_route(properties)
                found.append(DeadLetter(parcel_from(route, properties, body), reason))
        return found

    def close(self) -> None:
        for endpoint in self._endpoints:
            endpoint.close()
        with pika.BlockingConnection(pika.URLParameters(self._url)) as connection:
            channel = connection.channel()
            for party in (self.bank, self.partner):
                channel.queue_delete(queue_name(party))
                channel.queue_delete(dead_queue_name(party))


def settings_for_tests(url: str, **options: object) -> BrokerSettings:
    """Small limits, so that tests reach them."""
    small = {"delivery_limit": DELIVERY_LIMIT, "prefetch": PREFETCH, "longest_pause": 1.0}
    return broker_settings(url).model_copy(update={**small, **options})


def reason_and_route(properties: pika.BasicProperties) -> tuple[str, str]:
    """Why a message is dead: our own word for it, or else the broker's."""
    headers = properties.headers or {}
    if REASON in headers:
        return headers[REASON], headers[ROUTE]
    death = headers["x-death"][0]
    return death["reason"], death["routing-keys"][0]


def eventually(check: Callable[[], bool]) -> bool:
    """Whether the check comes true; patient, because a slow machine is no failure."""
    from time import monotonic, sleep

    deadline = monotonic() + 30
    while not check():
        if monotonic() > deadline:
            return False
        sleep(0.02)
    return True
