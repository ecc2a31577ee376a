"""A data party's work on tasks: what it keeps open between requests, and how it answers (S2, L1).

An engine of the party's own scores, outside any transaction of the log. Whatever goes wrong there
is an outcome too: the handlers tell the others.
"""

from collections.abc import Callable, Sequence

import numpy as np

from events.predictions import (
    PartialScoreReturned,
    PredictionRequested,
    PredictionTerms,
    Way,
    task_of,
)
from handlers.history import History
from handlers.initiator import own_order
from handlers.refusals import rejection
from handlers.scorer import Part, carry_out, objection
from handlers.tasks import read_task
from party.answered_rows import AnsweredRows
from party.appending import StoredDraft, store_payloads
from party.customer_scores import CustomerScores, open_scores
from party.handle_index import HandleIndex
from party.jobs import FollowedHistories
from party.opening import Party
from party.turns import takes_long
from scoring.models import ScoringModel
from scoring.texts import Texts

MOST_MODELS = 100
FEW = 100  # customers; more take long
MANY = 100_000  # customers, whose ids are kept in less memory than Python's own texts take


class ScoringDesk:
    """For one thread; engines stay open from one request to the next.

    After an error of its engines, of the settings or the source, `close` it: everything is opened
    anew when it is needed.
    """

    def __init__(
        self, party: Party, open_source: Callable[[Party], CustomerScores] = open_scores
    ) -> None:
        self._party, self._open = party, open_source
        self._source: CustomerScores | None = None
        self._index: HandleIndex | None = None
        self._models = FollowedHistories(party.log)
        self._documents: dict[tuple[str, int], ScoringModel] = {}
        self._answered = AnsweredRows(party.log, party.name)

    def answer(self, history: History) -> StoredDraft:
        """The party's part of a prediction, or why there is none.

        Raises ScoringError, SettingsError and SourceError, after which everything is opened anew.
        """
        terms = history.one(PredictionRequested).event.terms
        if terms.rows > FEW:
            takes_long()
        model = self._models.history(terms.model_id)
        rows = self._rows_within_hour(terms)
        try:
            drafted = carry_out(
                history,
                self._party.own,
                model,
                rows,
                lambda version: self._score(history, version),
            )
        except BaseException:
            self.close()
            raise
        if isinstance(drafted.event, PartialScoreReturned):
            # Another track may have answered meanwhile.
            if told := objection(terms, model, self._party.own, self._rows_within_hour(terms)):
                drafted = rejection(history, *told)
            else:
                self._answered.note(history.job, terms)
        return store_payloads(self._party, drafted)

    def _rows_within_hour(self, terms: PredictionTerms) -> int:
        """None are counted where there is no limit."""
        if self._party.own.policy.scoring_rows_an_hour is None:
            return 0
        return self._answered.within_hour(terms)

    def close(self) -> None:
        if self._source is not None:
            self._source.close()
        self._source, self._index = None, None
        self._documents.clear()

    def score(self, model_id: str, version: int, way: Way, wanted: Sequence[str | None]) -> Part:
        """Own partial scores of these customers, None or no text for one that is not here."""
        source, model = self._opened(), self._document(model_id, version)
        here = np.fromiter((bool(one) for one in wanted), np.bool_, len(wanted))
        places = np.flatnonzero(here)
        scores = np.zeros((len(wanted), model.outputs))
        found = np.zeros(len(wanted), np.bool_)
        known = (one for one in wanted if one)
        for batch in source.score(model, version, way, known):
            rows = places[batch.positions]
            scores[rows], found[rows] = batch.scores, batch.found
        return Part(scores, found, model.combination, version)

    def find(self, key: bytes, handles: Sequence[bytes]) -> Sequence[str | None]:
        """Own customers by the handles of a request, None or no text where there is none."""
        if self._index is None:
            source = self._opened()
            self._index = HandleIndex(source.lookup, source.ids)
        found = self._index.find(key, handles)
        if len(handles) < MANY:
            return list(found)
        return Texts.of(one or "" for one in found)

    def _score(self, history: History, version: int) -> Part:
        terms = history.one(PredictionRequested).event.terms
        return self.score(terms.model_id, version, terms.way, self._ids(history))

    def _ids(self, history: History) -> Sequence[str | None]:
        """Own ids in the order of the request; see `score`."""
        request, own = history.one(PredictionRequested), self._party.own
        if request.event.terms.asker == own.name:
            return own_order(history, own).ids
        key, handles = read_task(own.read(request.payload(task_of(own.name))))
        return self.find(key, handles)

    def _document(self, model_id: str, version: int) -> ScoringModel:
        if (model_id, version) not in self._documents:
            if len(self._documents) >= MOST_MODELS:
                self._documents.clear()
            self._documents[model_id, version] = self._opened().model(model_id, version)
        return self._documents[model_id, version]

    def _opened(self) -> CustomerScores:
        if self._source is None:
            takes_long()
            self._source = self._open(self._party)
        return self._source
