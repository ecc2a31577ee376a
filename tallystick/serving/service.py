"""Requests of business systems, answered from the party's own log."""

import threading
from collections import deque
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress

import structlog

from events.catalogue import CATALOGUE
from events.predictions import PredictionCompleted, PredictionRejected
from handlers.history import History
from party.errors import RequestError
from party.faults import describe
from party.jobs import FollowedHistories
from party.opening import Party
from party.predicting import Answer, Wish, answer_of, request_prediction
from party.pump import Pump
from party.tracks import job_of
from party.turns import LOOK_SECONDS, Turns, takes_long
from store.errors import StoreError
from tallystick.errors import ServingError

ENDS = {PredictionCompleted.type_name(), PredictionRejected.type_name()}
FEW = 100  # customers; more take long

log = structlog.get_logger()


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
        self._failure: StoreError | None = None
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
        asked = [future for _, future in list(self._wishes)]
        for future in (*asked, *list(self._waiting.values())):
            future.cancel()

    def ask(self, wish: Wish) -> "Future[Answer]":
        """The answer to come; from any thread.

        It raises RequestError, StoreError and ServingError where nothing was said.
        """
        future: Future[Answer] = Future()
        with self._closing:
            if not self._is_open:
                future.cancel()
                return future
            if self._failure is not None:
                future.set_exception(self._failure)
                return future
            self._wishes.append((wish, future))
        self._tell()
        return future

    def _step(self) -> bool:
        """Give the answers that there are, and ask for one more; whether there is more to do."""
        try:
            self._give_answers()
        except StoreError as error:
            self._refuse_all(error)
            raise
        self._failure = None
        if self._wishes:
            self._ask_for(*self._wishes[0])
            self._wishes.popleft()
        return bool(self._wishes) or self._party.log.known_head > self._position

    def _give_answers(self) -> None:
        for entry in self._party.log.follow(self._position):
            self._position = entry.position
            job = job_of(entry)
            if entry.envelope.type in ENDS and job in self._waiting:
                self._give(self._waiting.pop(job), History(job, [CATALOGUE.read(entry.envelope)]))

    def _give(self, future: "Future[Answer]", ended: History) -> None:
        try:
            answer = answer_of(self._party, ended)
        except StoreError as error:
            _fail(future, error)
            return
        if answer is not None:
            with suppress(InvalidStateError):  # nobody waits any more
                future.set_result(answer)

    def _ask_for(self, wish: Wish, future: "Future[Answer]") -> None:
        if len(wish.ids) > FEW:
            takes_long()
        try:
            job = request_prediction(self._party, wish, self._models.history(wish.model_id))
        except (RequestError, StoreError) as error:
            _fail(future, error)
        except Exception as fault:  # noqa: BLE001 - of one request, which the others are not to feel
            log.error("asking_failed", fault=describe(fault))  # noqa: TRY400
            _fail(future, ServingError("an error of the program: its output says more"))
        else:
            self._waiting[job] = future

    def _refuse_all(self, error: StoreError) -> None:
        """Nobody waits for a log that cannot be read, now or until it can be."""
        with self._closing:
            self._failure = error
            wishes, self._wishes = self._wishes, deque()
        for _, future in wishes:
            _fail(future, error)


def _fail(future: "Future[Answer]", error: Exception) -> None:
    with suppress(InvalidStateError):
        future.set_exception(error)
