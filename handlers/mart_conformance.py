"""What a mart may say, after what, and of which size (requirement A1)."""

from events.catalogue import Fact
from events.lifecycle import TrainingRequested
from events.mart import FeaturesDelivered, IdentifiersMatched
from events.preparation import IdentifiersPosted, RowsAligned
from handlers.errors import ProtocolError
from handlers.history import History


def check_posted_to_mart(history: History, fact: Fact[IdentifiersPosted]) -> None:
    """The local party posts as many as it announced."""
    customers = history.one(TrainingRequested).event.customers
    if (fact.event.customers, fact.payload("handles").shape) != (customers, (customers,)):
        raise ProtocolError(f"{fact.source} posts other identifiers than it announced")


def check_delivery(history: History, fact: Fact[FeaturesDelivered]) -> None:
    """In turn, of the same rows, and no column more than announced."""
    event, source = fact.event, fact.source
    before = [one.event for one in history.of(FeaturesDelivered) if one is not fact]
    if event.delivery != len(before) + 1:
        raise ProtocolError(f"{source} sends delivery {event.delivery} out of turn")
    columns = event.columns + sum(one.columns for one in before)
    same = all((one.rows, one.all_columns) == (event.rows, event.all_columns) for one in before)
    if columns > event.all_columns or not same:
        raise ProtocolError(f"{source} delivers other features than it announces")
    if fact.payload("features").shape != (event.columns, event.rows):
        raise ProtocolError(f"{source} delivers features of another size than it says")
    if event.rows < history.terms.smallest_overlap:
        raise ProtocolError(f"{source} delivers fewer rows than the terms allow")


def check_identifiers_matched(history: History, fact: Fact[IdentifiersMatched]) -> None:
    """After the last delivery, of the same rows."""
    delivered = [one.event for one in history.of(FeaturesDelivered)]
    if not delivered or sum(one.columns for one in delivered) != delivered[0].all_columns:
        raise ProtocolError(f"{fact.source} matches identifiers before everything is delivered")
    rows = fact.event.rows
    if rows != delivered[0].rows or fact.payload("positions").shape != (rows,):
        raise ProtocolError(f"{fact.source} matches other rows than it has delivered")


def check_aligned_with_mart(history: History, fact: Fact[RowsAligned]) -> None:
    """The local party aligns all the rows that the mart matched, and no others."""
    matched = history.of(IdentifiersMatched)
    if history.terms.mart is not None and (not matched or matched[0].event.rows != fact.event.rows):
        raise ProtocolError(f"{fact.source} aligns other rows than the mart has matched")
