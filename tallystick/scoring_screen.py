"""What a person sees while customers are scored."""

from collections.abc import Callable

from events.lifecycle import WorkFailed
from events.predictions import PartialScoreReturned, PredictionCompleted, PredictionRequested
from handlers.history import History
from party.opening import Party
from party.predicting import Answer, Wish, answer_of, request_prediction
from tallystick.following import follow_job
from tallystick.terminal import note, say


def follow_prediction(party: Party, wish: Wish, begin: Callable[[], None]) -> Answer:
    """Ask, let the party work, and tell who has answered until the end."""
    after = party.log.head()
    job = request_prediction(party, wish)
    begin()
    history = History(job)
    for fact in follow_job(party.log, job, after):
        if fact is None:
            continue
        history.add(fact)
        if isinstance(fact.event, PredictionRequested):
            asked = ", ".join(fact.event.terms.data_parties)
            note(f"{job}: {fact.event.terms.rows} customers, asked of {asked}")
        if isinstance(fact.event, PartialScoreReturned):
            note(f"{fact.source} has answered")
        if isinstance(fact.event, WorkFailed):
            note(f"{party.name}: {fact.event.detail}")
        if answer := answer_of(party, history):
            return answer
    raise AssertionError("a job is followed until it ends")


def show_counts(completed: PredictionCompleted) -> None:
    """How many were scored, and whom each party lacks."""
    say(f"{completed.scored} of {completed.rows} customers scored by {completed.model_id}")
    for missing in completed.missing:
        if missing.rows:
            say(f"{missing.rows} not at {missing.party}")
