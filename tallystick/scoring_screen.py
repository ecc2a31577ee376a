"""What a person sees while customers are scored."""

from collections.abc import Callable

from events.catalogue import Fact
from events.event import Event
from events.lifecycle import WorkFailed
from events.predictions import PartialScoreReturned, PredictionCompleted, PredictionRequested
from party.opening import Party
from party.predicting import Answer, Wish, answer_of, request_prediction
from tallystick.following import follow_to_answer
from tallystick.terminal import note, say


def follow_prediction(party: Party, wish: Wish, begin: Callable[[], None]) -> Answer:
    """Ask, let the party work, and tell who has answered until the end."""
    return follow_to_answer(party, lambda: request_prediction(party, wish), begin, answer_of, _tell)


def _tell(party: Party, fact: Fact[Event]) -> None:
    match fact.event:
        case PredictionRequested(terms=terms):
            asked = ", ".join(terms.data_parties)
            note(f"{fact.job}: {terms.rows} customers, asked of {asked}")
        case PartialScoreReturned():
            note(f"{fact.source} has answered")
        case WorkFailed(detail=detail):
            note(f"{party.name}: {detail}")


def show_counts(completed: PredictionCompleted) -> None:
    """How many were scored, and whom each party lacks."""
    say(f"{completed.scored} of {completed.rows} customers scored by {completed.model_id}")
    for missing in completed.missing:
        if missing.rows:
            say(f"{missing.rows} not at {missing.party}")
