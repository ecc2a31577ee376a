"""Aligning by private set intersection: who raises whose identifiers to which power (A2, A3).

A star: the local party compares its set with each participant's, and so learns its overlap with
each; a participant learns which of its own rows are common to all, and nothing of other rows.
Every batch is a step of its own, so a restart repeats one batch, and memory holds one.
"""

from collections.abc import Sequence
from typing import Any

from events.catalogue import Fact
from events.intersection import (
    BlindedIdentifiersPosted,
    DoublyBlindedIdentifiersReturned,
    IntersectionComputed,
    Overlap,
    PeerIdentifiersBlinded,
    RowsMatched,
)
from events.lifecycle import TrainingAccepted
from handlers.announcing import announce_rows, check_overlap
from handlers.drafts import Decision, Draft, Payload, blob, draft, vector
from handlers.errors import ProtocolError
from handlers.history import History
from handlers.matching import Matched, Places, common_to_all, match, repeats
from handlers.own import Own
from handlers.posted import batches_of, customers_of, own_exponent, own_order, rows_of_batch
from handlers.prepared import own_snapshot
from handlers.ristretto import POINT_BYTES, PointError, blind, blind_again


def begin_when_all_accepted(history: History, _fact: Fact[TrainingAccepted], own: Own) -> Decision:
    """The local party posts first, and only when nobody can decline any more."""
    terms = history.terms
    if terms.alignment != "psi":
        return []
    if not history.has_from_all(TrainingAccepted, terms.asked):
        return []
    return [_post(history, own, 1)]


def go_on_at_local(history: History, fact: Fact[BlindedIdentifiersPosted], own: Own) -> Decision:
    """After an own batch the next one; a participant's batch is blinded once more."""
    if fact.source == own.name:
        return _post_next(history, own, fact.event.batch)
    event = PeerIdentifiersBlinded(job=history.job, owner=fact.source, batch=fact.event.batch)
    return [draft(event, history.job, history.terms, _blinded_again(history, fact, own))]


def go_on_at_participant(
    history: History, fact: Fact[BlindedIdentifiersPosted], own: Own
) -> Decision:
    """The local party's batch goes back blinded once more; after its last one, the own set."""
    terms, batch = history.terms, fact.event.batch
    if fact.source == own.name:
        return _post_next(history, own, batch)
    if fact.source != terms.local:
        return []
    event = DoublyBlindedIdentifiersReturned(batch=batch)
    returned = draft(event, history.job, terms, _blinded_again(history, fact, own))
    is_last = batch == batches_of(customers_of(history, terms.local))
    return [returned, _post(history, own, 1)] if is_last else [returned]


def match_when_complete(
    history: History,
    _fact: Fact[DoublyBlindedIdentifiersReturned] | Fact[PeerIdentifiersBlinded],
    own: Own,
) -> Decision:
    """The rows common to all, in an order drawn at random; each participant hears of its own."""
    terms = history.terms
    if not all(_is_complete(history, own, name) for name in terms.participants):
        return []
    matches = {name: _match(history, own, name) for name in terms.participants}
    common = common_to_all(list(matches.values()))
    check_overlap(len(common), history, own)
    generator = own.generator(history.job, "common order", common.tobytes())
    common = common[generator.permutation(len(common))]
    rows = own_order(history, own)[common]
    found = IntersectionComputed(
        job=history.job,
        rows=len(rows),
        overlaps=tuple(
            Overlap(party=name, customers=len(matched.local)) for name, matched in matches.items()
        ),
    )
    return [
        draft(found, history.job, terms, vector("rows", rows)),
        *(_tell(history, name, matched, common) for name, matched in matches.items()),
        *announce_rows(history, own, rows, blob("handles", b"")),
    ]


def _post_next(history: History, own: Own, batch: int) -> list[Draft]:
    customers = customers_of(history, own.name)
    return [_post(history, own, batch + 1)] if batch < batches_of(customers) else []


def _post(history: History, own: Own, batch: int) -> Draft:
    """One batch of the own set, for the other side."""
    terms, order = history.terms, own_order(history, own)
    ids = own_snapshot(history, own).ids
    chosen = [ids[row] for row in order[rows_of_batch(len(order), batch)]]
    points = blind(chosen, history.job, own_exponent(history, own), own.threads)
    readers = terms.participants if own.name == terms.local else (terms.local,)
    payload = blob("points", points, len(chosen), readers=readers)
    return draft(BlindedIdentifiersPosted(batch=batch), history.job, terms, payload)


def _blinded_again(history: History, fact: Fact[BlindedIdentifiersPosted], own: Own) -> Payload:
    points = own.read(fact.payload("points"))
    try:
        tags = blind_again(points, own_exponent(history, own), own.threads)
    except PointError as error:
        batch = fact.event.batch
        raise ProtocolError(
            f"{fact.source} posts no blinded identifiers: in batch {batch}, {error}"
        ) from None
    return blob("tags", tags, len(points) // POINT_BYTES)


def _is_complete(history: History, own: Own, name: str) -> bool:
    """The participant has returned the own set and posted its own."""
    returned = history.of(DoublyBlindedIdentifiersReturned, source=name)
    blinded = history.of(PeerIdentifiersBlinded, owner=name)
    return len(returned) == batches_of(customers_of(history, own.name)) and len(
        blinded
    ) == batches_of(customers_of(history, name))


def _match(history: History, own: Own, name: str) -> Matched:
    returned = _tags(history.of(DoublyBlindedIdentifiersReturned, source=name), own)
    blinded = _tags(history.of(PeerIdentifiersBlinded, owner=name), own)
    if repeats(returned) or repeats(blinded):
        raise ProtocolError(f"{name} posts identifiers that repeat")
    return match(returned, blinded)


def _tags(facts: Sequence[Fact[Any]], own: Own) -> bytes:
    """Of all batches, in order."""
    ordered = sorted(facts, key=lambda fact: fact.event.batch)
    return b"".join(own.read(fact.payload("tags")) for fact in ordered)


def _tell(history: History, name: str, matched: Matched, common: Places) -> Draft:
    positions = matched.participant_places(common)
    event = RowsMatched(owner=name, rows=len(positions))
    payload = vector("positions", positions, readers=(name,))
    return draft(event, history.job, history.terms, payload)
