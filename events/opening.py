"""What every kind of stream has: an event that opens it, and one that ends it without success."""

from abc import abstractmethod

from events.event import Event
from events.terms import Agreement
from events.versions import ONLY_THE_FIRST, Versions


class Ending(Event):
    """A stream is over without what was asked for, and why, for every member."""

    code: str
    detail: str


class Opening(Event):
    """The first shared event of a stream; all that follows is said by its members, to them all.

    `speaks` offers the versions of the protocol that the stream may run in.
    """

    terms: Agreement
    speaks: Versions = ONLY_THE_FIRST

    @abstractmethod
    def ended(self, code: str, detail: str) -> Ending:
        """The event by which a member ends a stream of this kind."""
