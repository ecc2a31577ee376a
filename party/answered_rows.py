"""How many rows a party has scored for whom in the last hour, by its own log and its own clock."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from events.envelope import format_time
from events.predictions import PartialScoreReturned, PredictionTerms
from party.jobs import job_history
from store.log import Log

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class _Answer:
    time: datetime
    requester: str
    model_id: str
    rows: int


class AnsweredRows:
    """Read from the log, whichever track answered; an answer is never counted twice."""

    def __init__(self, log: Log, party: str) -> None:
        self._log, self._party = log, party
        self._answers: dict[str, _Answer] = {}
        self._position: int | None = None

    def within_hour(self, terms: PredictionTerms, now: datetime | None = None) -> int:
        """Rows that this requester got for this model."""
        now = now or datetime.now(UTC)
        answers = self._recent(now)
        return sum(
            answer.rows
            for answer in answers.values()
            if (answer.requester, answer.model_id) == (terms.initiator, terms.model_id)
        )

    def note(self, job: str, terms: PredictionTerms, now: datetime | None = None) -> None:
        now = now or datetime.now(UTC)
        self._recent(now)[job] = _Answer(now, terms.initiator, terms.model_id, terms.rows)

    def _recent(self, now: datetime) -> dict[str, _Answer]:
        self._read(now)
        gone = [job for job, answer in self._answers.items() if answer.time <= now - HOUR]
        for job in gone:
            del self._answers[job]
        return self._answers

    def _read(self, now: datetime) -> None:
        """What was said since it was last looked at."""
        kind = PartialScoreReturned.type_name()
        if self._position is None:
            entries = self._log.said_since(self._party, kind, format_time(now - HOUR))
        else:
            entries = self._log.said_after(self._party, kind, self._position)
        for entry in entries:
            self._position = entry.position
            if entry.envelope.stream in self._answers:
                continue  # noted when it was made
            history = job_history(self._log, entry.envelope.stream)
            terms = history.agreement
            if isinstance(terms, PredictionTerms):
                time = datetime.fromisoformat(entry.envelope.time)
                answer = _Answer(time, terms.initiator, terms.model_id, terms.rows)
                self._answers[history.job] = answer
        self._position = self._position or 0
