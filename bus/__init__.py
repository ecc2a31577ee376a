"""Carrying parcels between parties: RabbitMQ, or the same promises within one process."""

from bus.endpoint import Delivery, Endpoint, Settled
from bus.errors import BusError
from bus.memory import Disturbance, MemoryBroker
from bus.parcel import DeadLetter, Kind, Outcome, Parcel, check_party_name

__all__ = [
    "BusError",
    "DeadLetter",
    "Delivery",
    "Disturbance",
    "Endpoint",
    "Kind",
    "MemoryBroker",
    "Outcome",
    "Parcel",
    "Settled",
    "check_party_name",
]
