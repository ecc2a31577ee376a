"""What a person sees while customers are scored."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from events.catalogue import Fact
from events.event import Event
from events.lifecycle import WorkFailed
from events.predictions import PartialScoreReturned, PredictionCompleted, PredictionRequested
from party.opening import Party
from party.predicting import Answer, Wish, answer_of, request_prediction
from scoring.results import Results
from tallystick.errors import JobFailedError
from tallystick.following import follow_to_answer
from tallystick.terminal import note, say

AT_ONCE = 1_000_000  # customers of one request


def follow_predictions(
    party: Party, wish: Wish, begin: Callable[[], None]
) -> Iterator[tuple[PredictionCompleted, Results]]:
    """As many requests as it takes, one after the other: each takes the memory of AT_ONCE ids.

    Raises JobFailedError when one is rejected, or the model changes between them.
    """
    version = None
    for start in range(0, len(wish.ids), AT_ONCE):
        some = replace(wish, ids=wish.ids[start : start + AT_ONCE])
        answer = follow_prediction(party, some, begin if start == 0 else _begun)
        if answer.rejected is not None:
            told = answer.rejected
            raise JobFailedError(f"no scores: {answer.rejected_by} says {told.code}: {told.detail}")
        if answer.completed is None or answer.results is None:
            raise AssertionError("what is not rejected has results")
        if version not in (None, answer.completed.model_version):
            raise JobFailedError(
                f"no scores: another version of {wish.model_id} serves since {start} customers "
                "were scored: ask again"
            )
        version = answer.completed.model_version
        yield answer.completed, answer.results
        if len(wish.ids) > AT_ONCE:
            note(f"{start + len(some.ids)} of {len(wish.ids)} customers are done")


def _begun() -> None:
    """The party is at work already."""


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


def show_counts(completed: Sequence[PredictionCompleted]) -> None:
    """How many were scored in all, and whom each party lacks."""
    scored, rows = (sum(getattr(one, name) for one in completed) for name in ("scored", "rows"))
    say(f"{scored} of {rows} customers scored by {completed[0].model_id}")
    missing: Counter[str] = Counter()
    for one in completed:
        missing.update({party.party: party.rows for party in one.missing})
    for name, count in missing.items():
        if count:
            say(f"{count} not at {name}")
