"""What a log knows of a job."""

from collections import OrderedDict
from threading import Lock

from events.catalogue import CATALOGUE
from events.terms import Agreement
from handlers.history import History
from store.log import Log

MOST_KNOWN = 10_000  # predictions are many, and each is soon over


def job_history(log: Log, job: str) -> History:
    """Every fact of the job in this log; one that `is_known` was requested."""
    return History(job, (CATALOGUE.read(entry.envelope) for entry in log.job(job)))


class JobTerms:
    """Terms by job; they never change once a job was requested. For several threads."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._known: OrderedDict[str, Agreement] = OrderedDict()
        self._changing = Lock()

    def terms(self, job: str) -> Agreement | None:
        """What was agreed for this job, or None while the log has no such request."""
        terms = self._known.get(job)
        if terms is None and (history := job_history(self._log, job)).is_known:
            terms = self._known[job] = history.agreement
            with self._changing:
                while len(self._known) > MOST_KNOWN:
                    self._known.popitem(last=False)
        return terms


class FollowedHistories:
    """Histories that are kept, and read on from where they were read to."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._known: dict[str, tuple[History, int]] = {}

    def history(self, job: str) -> History:
        """The job as the log knows it now."""
        history, position = self._known.get(job, (History(job), 0))
        for entry in self._log.job(job, position):
            history.add(CATALOGUE.read(entry.envelope))
            position = entry.position
        self._known[job] = history, position
        return history
