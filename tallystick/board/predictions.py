"""Requests for scores, of the newest events: how many, of which model, with what outcome."""

from collections.abc import Iterable

from audit.live_log import LiveLog
from audit.report.story import PredictionStory
from audit.report.telling import read_facts, tell_prediction
from events.predictions import PredictionRequested
from handlers.history import History

MOST_SEARCHED = 1_000
MOST_SHOWN = 50


def newest_predictions(log: LiveLog, model: str = "") -> list[PredictionStory]:
    """The newest first; of one model those among the newest MOST_SEARCHED requests."""
    asked = log.of_types((PredictionRequested.type_name(),), MOST_SEARCHED if model else MOST_SHOWN)
    names = [
        fact.job
        for fact in read_facts(asked)
        if isinstance(fact.event, PredictionRequested) and model in {"", fact.event.terms.model_id}
    ]
    return list(_told(log, names[:MOST_SHOWN]))


def _told(log: LiveLog, names: Iterable[str]) -> Iterable[PredictionStory]:
    for name in names:
        history = History(name, read_facts(log.job(name)))
        if history.has(PredictionRequested):
            yield tell_prediction(history)
