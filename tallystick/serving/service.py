"""Requests of business systems, answered from the party's own log."""

import threading
from collections import deque
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress

from events.catalogue import CATALOGUE
from events.predictions import PredictionCompleted, PredictionRejected
from handlers.history import History
from party.errors import RequestError
from party.jobs import FollowedHistories
from party.opening import Party
from party.predicting import Answer, Wish, answer_of, request_prediction
from party.pump import Pump
from party.turns import LOOK_SECONDS, Turns, takes_long
from store.errors import StoreError

ENDS = {PredictionCompleted.type_name(), PredictionRejected.type_name()}
FEW = 100  # customers; more take long


class ScoreService:
    """Asks for predictions and hands each answer to who waits for it.

    Between `start` and `stop` it has its turns with the other pumps that a request passes through.
    """

    def __init__(self, party: Party, turns: Turns) -> None:
        self._party, self._turns = party, turns
        self._models = FollowedHistories(party.log)
        self._position = party.log.head()
        self._wishes: deque[tuple[Wish, Future[Answer]]] = deque()
        self._waiting: dict[str, Future[Answer]] = {}
        self._pump = Pump("serve", self._step, pause=LOOK_SECONDS)
        self._closing = threading.Lock()
        self._is_open = False

    @property
    def party(self) -> Party:
        return self._party

    def start(self) -> None:
        self._tell = self._turns.add(self._pump)
        self._is_open = True
        self._party.log.when_appended(self._tell)

    def stop(self) -> None:
        with self._closing:
            self._is_open = False
        self._turns.remove(self._pump, timeout=5)
        for future in (*(future for _, future in self._wishes), *self._waiting.values()):
            future.cancel()

    def ask(self, wish: Wish) -> "Future[Answer]":
        """The answer to come; from any thread.

        It raises RequestError and StoreError where nothing was said.
        """
        future: Future[Answer] = Future()
        with self._closing:
            if not self._is_open:
                future.cancel()
                return future
            self._wishes.append((wish, future))
        self._tell()
        return future

    def _step(self) -> bool:
        """Give the answers that there are, and ask for one more; whether there was a wish."""
        for entry in self._party.log.follow(self._position):
            self._position = entry.position
            if entry.envelope.type in ENDS:
                fact = CATALOGUE.read(entry.envelope)
                self._give(fact.job, answer_of(self._party, History(fact.job, [fact])))
        if not self._wishes:
            return False
        wish, future = self._wishes.popleft()
        if len(wish.ids) > FEW:
            takes_long()
        try:
            job = request_prediction(self._party, wish, self._models.history(wish.model_id))
        except (RequestError, StoreError) as error:
            _fail(future, error)
        except Exception as fault:
            _fail(future, fault)
            raise
        else:
            self._waiting[job] = future
        return True

    def _give(self, job: str, answer: Answer | None) -> None:
        future = self._waiting.pop(job, None)
        if answer is not None and future is not None:
            with suppress(InvalidStateError):  # nobody waits any more
                future.set_result(answer)


def _fail(future: "Future[Answer]", error: Exception) -> None:
    with suppress(InvalidStateError):
        future.set_exception(error)
