"""The jobs under way or ended, with whom, and how far each stream of theirs is here.

Kept in memory and read on from the log when somebody asks, so that it costs nothing in between.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from events.predictions import PredictionCompleted, PredictionRejected
from events.vocabulary import PRIVATE_STREAM
from handlers.witness import LAST_EVENTS
from party.heads import NOTHING
from party.jobs import JobTerms
from store.entry import Place
from store.log import Log

PAGE = 5_000
NEWEST_EVENTS = 50_000  # where a party that starts looks for jobs under way
MOST_JOBS = 1_000
QUIET_SECONDS = 600.0  # a job that has ended is talked about so long after its last event
# Nothing follows these. A member that lacks some of such a job names it, and has its answer.
LAST = LAST_EVENTS | {"CustomersIdentified", "IdentificationRejected", "KeyRotated"}
ANSWERED = {PredictionCompleted.type_name(), PredictionRejected.type_name()}


@dataclass
class SharedJob:
    """The members of a job, and the newest sequence of each in this log."""

    heads: dict[str, int]
    has_ended: bool = False
    is_quiet: bool = False
    changed_at: float = 0.0


class SharedJobs:
    """Not safe for several threads."""

    def __init__(self, log: Log, terms: JobTerms, clock: Callable[[], float]) -> None:
        self._log = log
        self._terms = terms
        self._clock = clock
        self._jobs: OrderedDict[str, SharedJob | None] = OrderedDict()
        self._position = max(0, log.head() - NEWEST_EVENTS)

    def catch_up(self) -> None:
        """Take in what is new in the log; what is long over is only spoken of to who asks."""
        while places := self._log.places(self._position, PAGE):
            answered = {place.stream for place in places if place.type in ANSWERED}
            for name in answered:
                self._jobs.pop(name, None)
            for place in places:
                if place.stream not in answered and place.stream != PRIVATE_STREAM:
                    self._note(place)
            self._position = places[-1].position
        quiet = self._clock() - QUIET_SECONDS
        for name, job in list(self._jobs.items()):
            if job is None:
                del self._jobs[name]
            else:
                job.is_quiet = job.has_ended and job.changed_at < quiet
        while len(self._jobs) > MOST_JOBS:
            self._jobs.popitem(last=False)

    def among(self, party: str, *, also_quiet: bool = False) -> dict[str, SharedJob]:
        """The jobs that a party is a member of, by name."""
        return {
            name: job
            for name, job in self._jobs.items()
            if job and party in job.heads and (also_quiet or not job.is_quiet)
        }

    def members(self) -> set[str]:
        jobs = [job for job in self._jobs.values() if job and not job.is_quiet]
        return {member for job in jobs for member in job.heads}

    def share(self, job: str, *parties: str) -> bool:
        """Whether all of these are members of a job that the log knows."""
        terms = self._terms.terms(job)
        return terms is not None and all(terms.role_of(party) for party in parties)

    def head(self, job: str, source: str) -> int:
        """The newest sequence of this stream in the log, also of a job that is long over."""
        known = self._jobs.get(job)
        if known is not None and source in known.heads:
            return known.heads[source]
        found = self._log.stream_head(source, job)
        return found.sequence if found else NOTHING

    def _note(self, place: Place) -> None:
        if place.stream not in self._jobs:
            self._jobs[place.stream] = self._begin(place.stream)
        job = self._jobs[place.stream]
        if job is None or place.source not in job.heads:
            return
        job.heads[place.source] = max(place.sequence, job.heads[place.source])
        job.has_ended = job.has_ended or place.type in LAST
        job.changed_at = self._clock()
        self._jobs.move_to_end(place.stream)

    def _begin(self, name: str) -> SharedJob | None:
        """From the log, which may know more of it than the event that is noted now."""
        terms = self._terms.terms(name)
        if terms is None:
            return None
        heads = {}
        for member in terms.members:
            found = self._log.stream_head(member.name, name)
            heads[member.name] = found.sequence if found else NOTHING
        return SharedJob(heads)
