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
    """Read from the log once, then noted answer by answer; an answer is never counted twice."""

    def __init__(self, log: Log, party: str) -> None:
        self._log, self._party = log, party
        self._answers: dict[str, _Answer] | None = None

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
        if self._answers is None:
            self._answers = self._read(now)
        for job in list(self._answers):  # in the order of time
            if self._answers[job].time > now - HOUR:
                break
            del self._answers[job]
        return self._answers

    def _read(self, now: datetime) -> dict[str, _Answer]:
        since = format_time(now - HOUR)
        kind, answers = PartialScoreReturned.type_name(), {}
        for entry in self._log.said_since(self._party, kind, since):
            history = job_history(self._log, entry.envelope.stream)
            terms = history.agreement
            if isinstance(terms, PredictionTerms):
                time = datetime.fromisoformat(entry.envelope.time)
                answer = _Answer(time, terms.initiator, terms.model_id, terms.rows)
                answers[history.job] = answer
        return answers
