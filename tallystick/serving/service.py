"""Requests of business systems, answered from the party's own log."""

import threading
from concurrent.futures import Future

import structlog

from events.catalogue import CATALOGUE
from events.predictions import PredictionCompleted, PredictionRejected
from handlers.history import History
from party.jobs import FollowedHistories
from party.opening import Party
from party.predicting import Answer, Wish, answer_of, request_prediction
from party.pump import Pump

ENDS = {PredictionCompleted.type_name(), PredictionRejected.type_name()}

log = structlog.get_logger()


class ScoreService:
    """Asks for predictions and hands each answer to who waits for it; for several threads.

    Between `start` and `stop` one thread follows the log.
    """

    def __init__(self, party: Party) -> None:
        self._party = party
        self._models = FollowedHistories(party.log)
        self._position = party.log.head()
        self._waiting: dict[str, Future[Answer]] = {}
        self._early: dict[str, Answer] = {}
        self._changing = threading.Lock()
        self._asking = threading.Lock()
        self._pump = Pump("serve", self._step)

    @property
    def party(self) -> Party:
        return self._party

    def start(self) -> None:
        self._pump.start()

    def stop(self) -> None:
        self._pump.stop(timeout=5)
        with self._changing:
            waiting = list(self._waiting.values())
            self._waiting.clear()
        for future in waiting:
            future.cancel()

    def ask(self, wish: Wish) -> "Future[Answer]":
        """The answer to come. Raises RequestError and StoreError before anything is said."""
        with self._asking:
            job = request_prediction(self._party, wish, self._models.history(wish.model_id))
        future: Future[Answer] = Future()
        with self._changing:
            if (answer := self._early.pop(job, None)) is None:
                self._waiting[job] = future
                return future
        future.set_result(answer)
        return future

    def _step(self) -> None:
        if not self._party.log.wait_for_entries(self._position, 0.2):
            return
        for entry in self._party.log.follow(self._position):
            envelope = entry.envelope
            self._position = entry.position
            if envelope.type not in ENDS:
                continue
            fact = CATALOGUE.read(envelope)
            answer = answer_of(self._party, History(fact.job, [fact]))
            if answer is not None:
                self._give(fact.job, answer)

    def _give(self, job: str, answer: Answer) -> None:
        """An end that comes before its asker waits is kept for a moment."""
        with self._changing:
            future = self._waiting.pop(job, None)
            if future is None:
                self._early[job] = answer
                while len(self._early) > 1000:
                    self._early.pop(next(iter(self._early)))
                return
        if not future.cancelled():
            future.set_result(answer)
