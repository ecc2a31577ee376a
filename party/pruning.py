"""Retention: the big vectors of jobs that are over are removed, and the log says so.

Only ciphertexts and masked results: no view and no later step reads them. Labels, snapshots,
parameters and models stay, so every projection can be built again. What can no longer be done is to
run such a job's handlers again.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from events.catalogue import CATALOGUE, Fact
from events.envelope import format_time
from events.event import Event
from events.pruning import MOST_COMMITMENTS, PayloadsPruned
from events.terms import WithNobody
from handlers.drafts import Draft
from party.appending import Causes, StoredDraft, append_draft
from party.escrow import remove_sealed
from party.opening import Party
from party.projecting import open_views
from party.settling import settle_payloads
from projections import jobs
from store.entry import Delivery, Entry

PRUNED_KINDS = frozenset({"ciphertexts", "integers"})
PAGE = 500


@dataclass(frozen=True)
class Prunable:
    """What may go of one job that has ended; `size` in bytes."""

    job: str
    ended: str
    commitments: tuple[str, ...]
    size: int


def prunable(party: Party, before: datetime) -> list[Prunable]:
    """The jobs that ended before that moment and still have big vectors here.

    A payload that another event needs as well, or that has not reached everybody, is left out.
    """
    ended = _ended_jobs(party, format_time(before))
    waiting = _undelivered_positions(party)
    found: dict[str, dict[str, int]] = {job: {} for job in ended}
    needed: set[str] = set()
    for entry in _entries(party):
        job = entry.envelope.stream
        for reference in entry.envelope.payloads:
            is_big = reference.kind in PRUNED_KINDS
            if is_big and job in ended and entry.position not in waiting:
                found[job][reference.commitment] = reference.size
            else:
                needed.add(reference.commitment)
    return [
        Prunable(job, ended[job], tuple(sorted(here)), sum(here.values()))
        for job, sizes in found.items()
        if (here := _here(party, sizes, needed))
    ]


def prune(party: Party, what: Sequence[Prunable]) -> Iterator[Fact[Event]]:
    """Say it in the log, then remove the files: killed in between, the next run removes them."""
    settle_payloads(party)
    for one in what:
        for start in range(0, len(one.commitments), MOST_COMMITMENTS):
            commitments = one.commitments[start : start + MOST_COMMITMENTS]
            size = sum(party.payloads.size(commitment) for commitment in commitments)
            event = PayloadsPruned(job=one.job, commitments=commitments, size=size)
            stored = StoredDraft(Draft(event, one.job), ())
            with party.log.transaction() as transaction:
                fact = append_draft(transaction, party, stored, Causes(), WithNobody())
            party.payloads.remove(commitments)
            remove_sealed(party.folder.sealed, commitments)
            yield fact


def pruned_commitments(party: Party) -> set[str]:
    """Everything that this party has removed so far."""
    said = party.log.said_since(party.name, PayloadsPruned.type_name(), "")
    events = (CATALOGUE.read(entry.envelope).event for entry in said)
    return {
        commitment
        for event in events
        if isinstance(event, PayloadsPruned)
        for commitment in event.commitments
    }


def _here(party: Party, sizes: dict[str, int], needed: set[str]) -> dict[str, int]:
    return {
        commitment: size
        for commitment, size in sizes.items()
        if commitment not in needed and party.payloads.has(commitment)
    }


def _ended_jobs(party: Party, before: str) -> dict[str, str]:
    """By name, when each ended."""
    with closing(open_views(party)) as views:
        views.catch_up(party.log)
        rows = views.select(jobs())
    return {row["job"]: row["ended"] for row in rows if row["ended"] and row["ended"] < before}


def _undelivered_positions(party: Party) -> set[int]:
    positions = {delivery.position for delivery in party.log.parked()}
    last: Delivery | None = None
    while page := party.log.pending_deliveries(PAGE, last):
        positions |= {delivery.position for delivery in page}
        last = page[-1]
    return positions


def _entries(party: Party) -> Iterator[Entry]:
    position = 0
    while page := party.log.read(position, PAGE):
        yield from page
        position = page[-1].position
