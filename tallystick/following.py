"""Following a job while it runs: facts as they enter a log, and what they say about progress."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from events.catalogue import CATALOGUE, Fact
from events.event import Event
from events.lifecycle import TrainingFailed, TrainingRequested, TrainingStopped
from events.models import ModelEvaluated, ModelSaved
from events.preparation import RowsAligned
from events.rounds import LossRecorded, RoundCompleted
from events.vocabulary import Role
from handlers.history import History
from party.opening import Party
from store.log import Log

WAIT_SECONDS = 0.1

Answer = TypeVar("Answer")


def follow_job(log: Log, job: str, after: int = 0) -> Iterator[Fact[Event] | None]:
    """Every fact of the job from the log, and None while nothing new is there; never ends."""
    while True:
        entries = log.read(after)
        for entry in entries:
            after = entry.position
            fact = CATALOGUE.read(entry.envelope)
            if fact.job == job:
                yield fact
        if not entries:
            yield None
            log.wait_for_entries(after, WAIT_SECONDS)


def follow_to_answer(
    party: Party,
    ask: Callable[[], str],
    begin: Callable[[], None],
    answer_of: Callable[[Party, History], Answer | None],
    tell: Callable[[Party, Fact[Event]], None],
) -> Answer:
    """Ask (which names the job), let the party work, and tell of each fact until the answer."""
    after = party.log.head()
    job = ask()
    begin()
    history = History(job)
    for fact in follow_job(party.log, job, after):
        if fact is None:
            continue
        history.add(fact)
        tell(party, fact)
        if answer := answer_of(party, history):
            return answer
    raise AssertionError("a job is followed until it ends")


@dataclass
class JobProgress:
    """What one party's log tells about a job: enough for a progress line and the end of it."""

    role: Role
    maximum_rounds: int = 0
    rounds: int = 0
    values: dict[int, float] = field(default_factory=dict)
    round_times: list[float] = field(default_factory=list)
    failure: TrainingFailed | None = None
    stopped: TrainingStopped | None = None
    is_finished: bool = False
    last_event: str = ""
    _held_out_rows: int = 0
    _began: float = 0.0

    def take(self, fact: Fact[Event], now: float | None = None) -> None:
        """Move on by one fact, at `now` (monotonic seconds)."""
        now = time.monotonic() if now is None else now
        event = fact.event
        self.last_event = fact.envelope.type
        if isinstance(event, TrainingRequested):
            self.maximum_rounds = event.terms.optimiser.maximum_rounds
        elif isinstance(event, RowsAligned):
            self._held_out_rows, self._began = event.held_out_rows, now
        elif isinstance(event, LossRecorded):
            self.values[event.round] = event.value
        elif isinstance(event, RoundCompleted):
            self._end_round(event.round, now)
        elif isinstance(event, TrainingStopped):
            self._end_round(event.round, now)
            self.stopped = event
        elif isinstance(event, TrainingFailed):
            self.failure, self.is_finished = event, True
        elif isinstance(event, ModelEvaluated):
            self.is_finished = True
        elif isinstance(event, ModelSaved):
            expects_evaluation = self.role is Role.LOCAL and self._held_out_rows
            self.is_finished = self.is_finished or not expects_evaluation

    def _end_round(self, number: int, now: float) -> None:
        self.rounds = number
        self.round_times.append(now - self._began)
        self._began = now

    @property
    def seconds_per_round(self) -> float | None:
        """Of the last few rounds."""
        recent = self.round_times[-3:]
        return sum(recent) / len(recent) if recent else None

    @property
    def seconds_left(self) -> float | None:
        """At most this long, if every round that is allowed were needed."""
        pace = self.seconds_per_round
        return None if pace is None else pace * (self.maximum_rounds - self.rounds)
