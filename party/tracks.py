"""Two tracks of reacting, so that a request for a few customers waits for nothing that takes long.

A job is on one track from its first event to its last, so its events are reacted to in the order of
the log. Between jobs there is no such order: what a handler decides follows from its job's history.
"""

import contextlib
from collections import OrderedDict
from enum import StrEnum

from events.catalogue import CATALOGUE
from events.errors import EventError
from events.predictions import PredictionRequested, PredictionTerms
from party.jobs import MOST_KNOWN, JobTerms
from store.entry import Entry
from store.log import Log

MOST_ROWS = 1000  # that an engine looks up one by one


class Track(StrEnum):
    """The name of its cursor in the log."""

    REGULAR = "react"
    EXPRESS = "react: express"


class Tracks:
    """Which track the entries of one log are on."""

    def __init__(self, terms: JobTerms) -> None:
        self._terms = terms
        self._known: OrderedDict[str, Track] = OrderedDict()

    def of(self, entry: Entry) -> Track:
        job = job_of(entry)
        if job not in self._known:
            self._known[job] = self._find(entry, job)
            if len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        return self._known[job]

    def _find(self, entry: Entry, job: str) -> Track:
        """What cannot be read is on the regular track, where it is reported."""
        terms: object = None
        with contextlib.suppress(EventError):
            if entry.envelope.type == PredictionRequested.type_name():
                event = CATALOGUE.read(entry.envelope).event
                terms = event.terms if isinstance(event, PredictionRequested) else None
            else:
                terms = self._terms.terms(job)
        few = isinstance(terms, PredictionTerms) and terms.rows <= MOST_ROWS
        return Track.EXPRESS if few else Track.REGULAR


def begin_tracks(log: Log) -> None:
    """A log that was reacted to on one track alone goes on from there on both."""
    with log.transaction() as transaction:
        transaction.begin_cursor(Track.EXPRESS, Track.REGULAR)


def job_of(entry: Entry) -> str:
    """As `Fact.job`, also of an event that cannot be read."""
    envelope = entry.envelope
    return str(envelope.data.get("job", "")) if envelope.is_private else envelope.stream
