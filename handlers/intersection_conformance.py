"""What a private set intersection demands of its messages: the right job, sizes and order (A2)."""

from typing import Any

from events.catalogue import Fact
from events.intersection import (
    BlindedIdentifiersPosted,
    DoublyBlindedIdentifiersReturned,
    RowsMatched,
)
from events.preparation import IdentifiersPosted, RowsAligned
from handlers.errors import ProtocolError
from handlers.history import History
from handlers.posted import batches_of, customers_of, rows_of_batch


def check_alignment_is_agreed(history: History, fact: Fact[Any]) -> None:
    """Keyed hashes in a job that agreed on an intersection say too much, and the reverse."""
    wanted = "psi"
    if isinstance(fact.event, IdentifiersPosted):
        wanted = "mart" if fact.source == history.terms.local else "hash"
    if history.terms.alignment != wanted:
        raise ProtocolError(
            f"{fact.source} says {fact.event.type_name()} in a job whose alignment is "
            f"{history.terms.alignment}"
        )


def check_blinded(history: History, fact: Fact[BlindedIdentifiersPosted]) -> None:
    """A batch in its turn, as large as announced; a participant's only after the other side's."""
    check_alignment_is_agreed(history, fact)
    source, local = fact.source, history.terms.local
    _check_batch(history, fact, "points", source)
    if fact.event.batch > 1 and not history.has(
        BlindedIdentifiersPosted, source=source, batch=fact.event.batch - 1
    ):
        raise ProtocolError(f"{source} posts batch {fact.event.batch} out of turn")
    last = batches_of(customers_of(history, local))
    if source != local and not history.has(BlindedIdentifiersPosted, source=local, batch=last):
        raise ProtocolError(f"{source} posts its identifiers before {local} has posted all")


def check_returned(history: History, fact: Fact[DoublyBlindedIdentifiersReturned]) -> None:
    """As many as the local party posted in this batch."""
    check_alignment_is_agreed(history, fact)
    local, batch = history.terms.local, fact.event.batch
    _check_batch(history, fact, "tags", local)
    if not history.has(BlindedIdentifiersPosted, source=local, batch=batch):
        raise ProtocolError(f"{fact.source} returns batch {batch}, which {local} has not posted")


def check_matched(history: History, fact: Fact[RowsMatched]) -> None:
    check_alignment_is_agreed(history, fact)
    if fact.event.owner not in history.terms.participants:
        raise ProtocolError(f"{fact.source} matches rows of {fact.event.owner}, no participant")
    if fact.payload("positions").shape != (fact.event.rows,):
        raise ProtocolError(f"{fact.source} matches other rows than it says")


def check_all_are_told(history: History, fact: Fact[RowsAligned]) -> None:
    """After an intersection each participant was told its rows, as many as are aligned."""
    if history.terms.alignment != "psi":
        return
    told = {one.event.owner: one.event.rows for one in history.of(RowsMatched)}
    if told != dict.fromkeys(history.terms.participants, fact.event.rows):
        raise ProtocolError(f"{fact.source} aligns other rows than it has told the participants")


def _check_batch(history: History, fact: Fact[Any], payload: str, owner: str) -> None:
    """`owner` is whose identifiers these are."""
    expected = rows_of_batch(customers_of(history, owner), fact.event.batch)
    size = expected.stop - expected.start
    if not size or fact.payload(payload).shape != (size,):
        raise ProtocolError(
            f"{fact.source} sends batch {fact.event.batch} of other identifiers than announced"
        )
