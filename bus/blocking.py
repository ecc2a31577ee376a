"""For pika's blocking connections, which do not say when a consumer is one no longer."""

from contextlib import suppress

from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.exceptions import AMQPError, ChannelWrongStateError, ConsumerCancelled


def check_consuming(channel: BlockingChannel) -> None:
    """Call after process_data_events, which raises only when the whole connection is lost.

    Raises AMQPChannelError when the broker has closed the channel (what was held longer than its
    consumer timeout, a refused publish) or cancelled the consumer (its queue was deleted).
    """
    if not channel.is_open:
        raise ChannelWrongStateError("the broker closed the channel")
    if not channel.consumer_tags:
        raise ConsumerCancelled


def leave(connection: BlockingConnection | None) -> None:
    """Close it, if it is there: what was not acknowledged goes back to its queue at once."""
    if connection is not None and connection.is_open:
        with suppress(AMQPError, OSError):
            connection.close()
