"""A parcel as an AMQP message, and back."""

from typing import cast
from uuid import uuid4

from pika import BasicProperties
from pika.delivery_mode import DeliveryMode

from bus.errors import ParcelError
from bus.parcel import Kind, Parcel

APPLICATION = "tallystick"
REASON = "x-tallystick-reason"  # why a parcel was set aside
ROUTE = "x-tallystick-route"  # the routing key it came with


def routing_key(parcel: Parcel) -> str:
    """`<sender>.<recipient>`: what a broker's topic permissions can check."""
    return f"{parcel.sender}.{parcel.recipient}"


def properties_of(parcel: Parcel, user: str | None) -> BasicProperties:
    """Persistent, with an id of its own; the broker checks that `user` is who logged in."""
    return BasicProperties(
        app_id=APPLICATION,
        content_type="application/octet-stream",
        delivery_mode=DeliveryMode.Persistent.value,
        headers=dict(parcel.headers),
        message_id=uuid4().hex,
        type=parcel.kind,
        user_id=user,
    )


def parcel_from(route: str, properties: BasicProperties, body: bytes) -> Parcel:
    """The parcel in a message; headers that brokers add are left out. Raises ParcelError."""
    sender, separator, recipient = route.partition(".")
    if not separator:
        raise ParcelError("the routing key is not <sender>.<recipient>")
    named = properties.headers or {}
    if not all(isinstance(name, str) for name in named):  # pika's way with what is not UTF-8
        raise ParcelError("a header's name is no text")
    headers = {name: value for name, value in named.items() if not name.startswith("x-")}
    return Parcel(sender, recipient, cast(Kind, properties.type), headers, body)


def attempts_of(properties: BasicProperties, *, redelivered: bool) -> int:
    """How often a quorum queue has delivered the message, this time included."""
    earlier = (properties.headers or {}).get("x-delivery-count")
    return (earlier if isinstance(earlier, int) else int(redelivered)) + 1


def dead_properties(
    properties: BasicProperties, route: str, reason: str, user: str | None
) -> BasicProperties:
    """The same message on its way to the dead-letter queue, with the reason."""
    return BasicProperties(
        app_id=APPLICATION,
        content_type=properties.content_type,
        delivery_mode=DeliveryMode.Persistent.value,
        headers={**(properties.headers or {}), REASON: reason[:1024], ROUTE: route},
        message_id=uuid4().hex,
        type=properties.type,
        user_id=user,
    )
