"""Requests about customers, of the newest events: how many, of which model, with what outcome."""

from collections.abc import Iterable

from audit.live_log import LiveLog
from audit.report.requests import tell_prediction
from audit.report.story import PredictionStory
from audit.report.telling import read_facts
from events.identifying import IdentificationRequested
from events.predictions import PredictionRequested
from handlers.history import History

OPENINGS = (PredictionRequested, IdentificationRequested)
MOST_SEARCHED = 1_000
MOST_SHOWN = 50


def newest_predictions(log: LiveLog, model: str = "") -> list[PredictionStory]:
    """The newest first; of one model those among the newest MOST_SEARCHED requests."""
    types = tuple(opening.type_name() for opening in OPENINGS)
    asked = read_facts(log.of_types(types, MOST_SEARCHED if model else MOST_SHOWN))
    names = [
        fact.job
        for fact in asked
        if isinstance(fact.event, OPENINGS) and model in {"", fact.event.terms.model_id}
    ]
    return list(_told(log, names[:MOST_SHOWN]))


def _told(log: LiveLog, names: Iterable[str]) -> Iterable[PredictionStory]:
    for name in names:
        history = History(name, read_facts(log.job(name)))
        if history.is_known:
            yield tell_prediction(history)
