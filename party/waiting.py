"""Envelopes that came before what they need: kept in the log's database, indexed in memory.

An envelope waits for an event (the one before it in its stream, or its cause) or for the chunks
of a payload. Whatever arrives is a key here, and gives back what waited for it.
"""

from collections import defaultdict
from collections.abc import Mapping

from events.envelope import Envelope
from party.errors import Reason, RefusalError
from store.entry import HeldEnvelope
from store.errors import EquivocationError
from store.log import Log

MAXIMUM_HELD = 1000


def payload_key(sender: str, digest: str) -> str:
    return f"{sender} {digest}"


class WaitingEnvelopes:
    """What is held, by what it waits for."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._held: dict[str, HeldEnvelope] = {}
        self._by_key: dict[str, set[str]] = defaultdict(set)

    def all_held(self) -> list[HeldEnvelope]:
        """From the database: what waited when the party was stopped."""
        streams = self._log.held_streams()
        return [held for stream in streams for held in self._log.held(*stream)]

    def hold(
        self,
        envelope: Envelope,
        canonical: bytes,
        sender: str,
        headers: Mapping[str, object],
        key: str,
    ) -> None:
        """Keep it until `key` arrives.

        Raises RefusalError: its sender has too many here, or said two things in one place.
        """
        transport = {name: str(value) for name, value in headers.items()}
        others = sum(1 for held in self._held.values() if held.sender == sender)
        if envelope.id not in self._held and others >= MAXIMUM_HELD:
            raise RefusalError(Reason.TOO_MANY_HELD, sender)
        try:
            with self._log.transaction() as transaction:
                transaction.hold(envelope, canonical, sender, transport)
        except EquivocationError as error:
            raise RefusalError(Reason.EQUIVOCATION, str(error)) from None
        self._held[envelope.id] = HeldEnvelope(sender, canonical, transport, envelope.time)
        self._by_key[key].add(envelope.id)

    def holds(self, canonical: bytes) -> bool:
        """Whether exactly this is waiting here."""
        return any(held.canonical == canonical for held in self._held.values())

    def held(self, event_id: str) -> HeldEnvelope | None:
        return self._held.get(event_id)

    def expects(self, key: str) -> bool:
        return key in self._by_key

    def arrived(self, key: str) -> list[HeldEnvelope]:
        """What waited for this, to be looked at again; it stays held until `forget`."""
        return [self._held[name] for name in self._by_key.pop(key, ()) if name in self._held]

    def forget(self, event_id: str) -> None:
        self._held.pop(event_id, None)
