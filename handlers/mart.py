"""The mart: matches the bank's keyed hashes with its members', delivers features (A1).

It has hashes and numbers: no ids, no key of the hashes, no names of columns. The columns go out a
few at a time, each delivery a step of its own, so a restart repeats one and memory holds one.
"""

from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from events.catalogue import Fact
from events.intersection import IntersectionsCounted
from events.lifecycle import MessageRefused, TrainingRequested, WorkFailed
from events.mart import FeaturesDelivered, IdentifiersMatched
from events.preparation import DataSnapshotted, IdentifiersPosted
from handlers.alignment import split_handles
from handlers.announcing import check_overlap
from handlers.answering import accept, answer_request, decline_without_data, keep_quota
from handlers.drafts import Decision, Draft, draft, vector
from handlers.errors import ProtocolError
from handlers.handler import Reactions
from handlers.history import History
from handlers.own import Own
from handlers.prepared import own_snapshot
from handlers.refusals import give_up_when_refused

COLUMNS_PER_DELIVERY = 64


@dataclass(frozen=True)
class _Match:
    """The same customers' places in the local party's posting, and rows of the own table."""

    posted: NDArray[np.int64]
    rows: NDArray[np.int64]


def match_identifiers(history: History, _fact: Fact[IdentifiersPosted], own: Own) -> Decision:
    """Enough customers in common, or none is delivered: a few could be recognised."""
    check_overlap(len(_match(history, own).rows), history, own)
    return [_deliver(history, own, 1)]


def deliver_next(history: History, fact: Fact[FeaturesDelivered], own: Own) -> Decision:
    """The next columns; after the last ones the local party hears which rows were matched."""
    event = fact.event
    if event.delivery * COLUMNS_PER_DELIVERY < event.all_columns:
        return [_deliver(history, own, event.delivery + 1)]
    posted = _match(history, own).posted
    matched = IdentifiersMatched(rows=len(posted))
    return [draft(matched, history.job, history.terms, vector("positions", posted))]


def _deliver(history: History, own: Own, delivery: int) -> Draft:
    snapshot, rows = own_snapshot(history, own), _match(history, own).rows
    start = (delivery - 1) * COLUMNS_PER_DELIVERY
    names = list(islice(snapshot.columns, start, start + COLUMNS_PER_DELIVERY))
    features = np.empty((len(names), len(rows)), np.float64)
    for place, name in enumerate(names):
        features[place] = snapshot.columns[name][rows]
    event = FeaturesDelivered(
        delivery=delivery, rows=len(rows), columns=len(names), all_columns=len(snapshot.columns)
    )
    return draft(event, history.job, history.terms, vector("features", features))


def _match(history: History, own: Own) -> _Match:
    return own.remember(("match", history.job), partial(_compare, history, own))


def _compare(history: History, own: Own) -> _Match:
    """In an order drawn at random, which says nothing about either table."""
    fact = history.one(IdentifiersPosted)
    content = own.read(fact.payload("handles"))
    handles = split_handles(content)
    if len(set(handles)) != len(handles):
        raise ProtocolError(f"{fact.source} posts identifiers that repeat")
    places = {handle: place for place, handle in enumerate(handles)}
    found = [
        (places[handle], row)
        for row, name in enumerate(own_snapshot(history, own).ids)
        if (handle := bytes.fromhex(name)) in places
    ]
    pairs = np.array(found, np.int64).reshape(-1, 2)
    generator = own.generator(history.job, "mart order", pairs.tobytes())
    pairs = pairs[generator.permutation(len(pairs))]
    return _Match(pairs[:, 0], pairs[:, 1])


REACTIONS: Reactions = {
    MessageRefused: give_up_when_refused,
    TrainingRequested: answer_request,
    IntersectionsCounted: keep_quota,
    DataSnapshotted: accept,
    WorkFailed: decline_without_data,
    IdentifiersPosted: match_identifiers,
    FeaturesDelivered: deliver_next,
}
