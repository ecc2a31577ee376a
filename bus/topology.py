"""Names of exchanges and queues, and their declaration.

    tallystick       --*.<party>-->  tallystick.<party>        quorum, read by the party only
    tallystick.dead  --<party>---->  tallystick.<party>.dead   quorum, read by people

Both exchanges are topic exchanges, because topic permissions exist for no other kind.
"""

from collections.abc import Callable

import pika
from pika.channel import Channel
from pika.exceptions import ChannelClosedByClient

from bus.diagnosis import is_refused

EXCHANGE = "tallystick"
DEAD_EXCHANGE = "tallystick.dead"


def queue_name(party: str) -> str:
    return f"tallystick.{party}"


def dead_queue_name(party: str) -> str:
    return f"tallystick.{party}.dead"


def queue_arguments(party: str, delivery_limit: int) -> dict[str, str | int | bool]:
    """One active reader at a time; dead letters are moved safely, which reject-publish allows."""
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": delivery_limit,
        "x-single-active-consumer": True,
        "x-dead-letter-exchange": DEAD_EXCHANGE,
        "x-dead-letter-routing-key": party,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def declare(
    connection: pika.SelectConnection,
    party: str,
    delivery_limit: int,
    declared: Callable[[], None],
    failed: Callable[[BaseException], None],
) -> None:
    """Declare what the party needs, on a channel of its own; nothing happens to what exists.

    A user who may not declare goes on: an administrator has done it, or using it will fail.
    """

    def closed(_channel: Channel, reason: BaseException) -> None:
        if not connection.is_open:
            return
        if isinstance(reason, ChannelClosedByClient) or is_refused(reason):
            declared()
        else:
            failed(reason)

    def opened(channel: Channel) -> None:
        channel.add_on_close_callback(closed)
        _declare_all(channel, party, delivery_limit)

    connection.channel(on_open_callback=opened)


def _declare_all(channel: Channel, party: str, delivery_limit: int) -> None:
    """Only the last step asks for an answer: the broker works through a channel in order."""
    for exchange in (EXCHANGE, DEAD_EXCHANGE):
        channel.exchange_declare(exchange, "topic", durable=True)
    queue, dead_queue = queue_name(party), dead_queue_name(party)
    channel.queue_declare(dead_queue, durable=True, arguments={"x-queue-type": "quorum"})
    channel.queue_bind(dead_queue, DEAD_EXCHANGE, party)
    arguments = queue_arguments(party, delivery_limit)
    channel.queue_declare(queue, durable=True, arguments=arguments)
    channel.queue_bind(queue, EXCHANGE, f"*.{party}", callback=lambda _answer: channel.close())
