"""What a log knows of a job."""

from events.catalogue import CATALOGUE
from events.terms import Agreement
from handlers.history import History
from store.log import Log


def job_history(log: Log, job: str) -> History:
    """Every fact of the job in this log; one that `is_known` was requested."""
    return History(job, (CATALOGUE.read(entry.envelope) for entry in log.job(job)))


class JobTerms:
    """Terms by job; they never change once a job was requested."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._known: dict[str, Agreement] = {}

    def terms(self, job: str) -> Agreement | None:
        """What was agreed for this job, or None while the log has no such request."""
        if job not in self._known and (history := job_history(self._log, job)).is_known:
            self._known[job] = history.agreement
        return self._known.get(job)
