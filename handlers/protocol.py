"""What a protocol is: the shared events of one kind of stream, and what is demanded of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from events.catalogue import Fact
from events.event import Event
from events.witness import CheckpointDisputed, CheckpointPosted, LogRestored
from handlers.history import History

# What members say of each other's logs in every kind of stream; see `Protocol.said_once_per`.
WITNESSED: Mapping[type[Event], tuple[str, ...]] = {
    CheckpointPosted: ("size",),
    CheckpointDisputed: ("issuer", "size"),
    LogRestored: ("size",),
}


@dataclass(frozen=True)
class Protocol:
    """`said_once_per` names the fields that tell two events of one type and source apart.

    Every type that it does not name is said once. What `only_after` demands is among the causes of
    the event, so it always is in the log before. `content` checks what the event says.
    """

    name: str
    events: frozenset[type[Event]]
    said_once_per: Mapping[type[Event], tuple[str, ...]]
    only_after: Mapping[type[Event], type[Event]]
    content: Mapping[type[Event], Callable[[History, Fact[Any]], None]]
