"""Carrying parcels between parties: RabbitMQ, or the same promises within one process."""

from bus.endpoint import Delivery, Endpoint, Settled
from bus.errors import BrokerError, BusError, EndpointClosedError
from bus.memory import Disturbance, MemoryBroker
from bus.parcel import DeadLetter, Kind, Outcome, Parcel, check_party_name
from bus.rabbitmq import open_endpoint
from bus.settings import BrokerSettings, TlsSettings, broker_settings

__all__ = [
    "BrokerError",
    "BrokerSettings",
    "BusError",
    "DeadLetter",
    "Delivery",
    "Disturbance",
    "Endpoint",
    "EndpointClosedError",
    "Kind",
    "MemoryBroker",
    "Outcome",
    "Parcel",
    "Settled",
    "TlsSettings",
    "broker_settings",
    "check_party_name",
    "open_endpoint",
]
