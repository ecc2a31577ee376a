"""Telling a request about customers: for scores of a model, or for labels."""

from audit.report.story import PredictionStory
from events.catalogue import CATALOGUE
from events.identifying import CustomersIdentified, IdentificationRequested
from events.predictions import PredictionCompleted, PredictionRequested
from handlers.history import History


def tell_prediction(history: History) -> PredictionStory:
    if isinstance(history.opening.event, IdentificationRequested):
        return _identification(history)
    opening = history.one(PredictionRequested)
    terms = opening.event.terms
    outcome = "under way"
    if history.is_over:
        outcome = "rejected"
    elif completed := history.of(PredictionCompleted):
        outcome = f"{completed[0].event.scored:,} scored"
    elif history.has_from_all(CATALOGUE.types["PartialScoreReturned"], terms.data_parties):
        outcome = "answered by all"
    return PredictionStory(
        name=history.job,
        time=opening.envelope.time,
        asked_by=opening.source,
        model=terms.model_id,
        way=terms.way,
        rows=terms.rows,
        outcome=outcome,
    )


def _identification(history: History) -> PredictionStory:
    opening = history.one(IdentificationRequested)
    terms = opening.event.terms
    outcome = "rejected" if history.is_over else "under way"
    if identified := history.of(CustomersIdentified):
        labelled = identified[0].event.labelled
        outcome = f"{identified[0].event.known:,} identified"
        outcome += f", {labelled:,} labelled 1" if labelled is not None else ""
    return PredictionStory(
        name=history.job,
        time=opening.envelope.time,
        asked_by=opening.source,
        model=terms.model_id,
        way="sweep" if terms.tau is None else f"labels at tau {terms.tau:g}",
        rows=terms.rows,
        outcome=outcome,
    )
