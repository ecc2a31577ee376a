"""How many rows a party has scored for whom in the last hour, by its own log and its own clock."""

from collections import Counter, deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from events.envelope import format_time
from events.predictions import PartialScoreReturned, PredictionTerms
from party.jobs import job_history
from store.log import Log

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class _Answer:
    job: str
    time: datetime
    requester: str
    model_id: str
    rows: int


class AnsweredRows:
    """Read from the log, whichever track answered; an answer is never counted twice."""

    def __init__(self, log: Log, party: str) -> None:
        self._log, self._party = log, party
        self._answers: deque[_Answer] = deque()  # in the order of time
        self._jobs: set[str] = set()
        self._rows: Counter[tuple[str, str]] = Counter()
        self._position: int | None = None

    def within_hour(self, terms: PredictionTerms, now: datetime | None = None) -> int:
        """Rows that this requester got for this model."""
        now = now or datetime.now(UTC)
        self._read(now)
        while self._answers and self._answers[0].time <= now - HOUR:
            gone = self._answers.popleft()
            self._jobs.discard(gone.job)
            self._rows[gone.requester, gone.model_id] -= gone.rows
        return self._rows[terms.initiator, terms.model_id]

    def note(self, job: str, terms: PredictionTerms, now: datetime | None = None) -> None:
        """It is answered, and enters the log in a moment."""
        if job in self._jobs:
            return
        time = now or datetime.now(UTC)
        self._answers.append(_Answer(job, time, terms.initiator, terms.model_id, terms.rows))
        self._jobs.add(job)
        self._rows[terms.initiator, terms.model_id] += terms.rows

    def _read(self, now: datetime) -> None:
        """What was said since it was last looked at."""
        kind = PartialScoreReturned.type_name()
        if self._position is None:
            self._position = 0
            entries = self._log.said_since(self._party, kind, format_time(now - HOUR))
        else:
            entries = self._log.said_after(self._party, kind, self._position)
        for entry in entries:
            self._position = entry.position
            if entry.envelope.stream in self._jobs:
                continue  # noted when it was made
            history = job_history(self._log, entry.envelope.stream)
            terms = history.agreement
            if isinstance(terms, PredictionTerms):
                self.note(history.job, terms, datetime.fromisoformat(entry.envelope.time))
