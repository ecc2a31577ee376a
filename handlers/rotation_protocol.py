"""The protocol of a change of keys: the one event that says so, and nothing after it."""

from events.catalogue import Fact
from events.rotation import KeyRotated, rotation_stream
from handlers.errors import ProtocolError
from handlers.history import History
from handlers.protocol import Protocol


def _check_place(history: History, fact: Fact[KeyRotated]) -> None:
    """One stream for each card and other party, so that no card has two successors."""
    terms, retired = fact.event.terms, fact.event.retired
    others = [one.name for one in terms.members if one.name != fact.source] or [fact.source]
    if history.job != rotation_stream(retired, others[0]):
        raise ProtocolError(f"{fact.source} tells of new keys in a stream of something else")


ROTATION = Protocol(
    name="a change of keys",
    events=frozenset({KeyRotated}),
    said_once_per={},
    only_after={},
    content={KeyRotated: _check_place},
)
