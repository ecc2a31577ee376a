"""Who may have missed a change of keys is told again: it believes nothing else.

A party that was restored from an old backup lacks it as well, be it another's change or its own.
"""

from collections.abc import Callable
from threading import Lock

import structlog

from bus.endpoint import Endpoint
from bus.parcel import Parcel
from events.rotation import rotation_stream
from party.opening import Party
from party.own_keys import rotation_of

PAUSE_SECONDS = 1.0  # between two reminders of the same party

log = structlog.get_logger()


class KeysExchange:
    """`note` is for the receiving thread, the rest for the one that compares heads."""

    def __init__(
        self,
        party: Party,
        endpoint: Endpoint,
        look_again: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self._party = party
        self._endpoint = endpoint
        self._look_again = look_again
        self._clock = clock
        self._lock = Lock()
        self._behind: set[str] = set()
        self._not_before: dict[str, float] = {}

    def note(self, sender: str) -> None:
        """It signs with a key that it retired, as this log knows and it does not."""
        with self._lock:
            self._behind.add(sender)

    @property
    def is_due(self) -> bool:
        return bool(self._behind)

    def remind(self) -> None:
        """Give back to each of these what it said of its keys."""
        with self._lock:
            behind, self._behind = self._behind, set()
        for other in sorted(behind):
            if self._clock() >= self._not_before.get(other, 0.0):
                self._not_before[other] = self._clock() + PAUSE_SECONDS
                self._give_back(other)

    def _give_back(self, other: str) -> None:
        party, history = self._party, self._party.trusted.history(other)
        for card in history.cards if history else ():
            if rotation := rotation_of(party.log, party.name, card):
                log.warning("returning_keys", recipient=other)
                content = rotation.envelope.canonical_bytes()
                parcel = Parcel(party.name, other, "returned", {}, content)
                self._endpoint.send(parcel, lambda _outcome: None)

    def tell_again(self, *others: str) -> None:
        """Send our own changes again, the oldest first; who knows them drops them."""
        party = self._party
        if not party.cards.retired:
            return
        retired = [one.card for one in party.cards.retired]
        places = [(rotation_stream(card, other), other) for other in others for card in retired]
        with party.log.transaction() as transaction:
            again = [transaction.deliver_again(party.name, *_first(*place)) for place in places]
        if any(again):
            self._look_again()


def _first(stream: str, other: str) -> tuple[str, int, int, str]:
    """The one event of such a stream."""
    return stream, 0, 0, other
