"""What a person sees while customers are scored."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
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

AT_ONCE = 250_000  # customers of one request: a process then takes less than 300 MB beside a server


def follow_predictions(
    party: Party,
    wish: Wish,
    parts: Iterable[Sequence[str]],
    begin: Callable[[], None],
    take: Callable[[Results], None],
) -> Iterator[PredictionCompleted]:
    """A request for each part of the ids, one after the other: they take the memory of one.

    Raises JobFailedError when one is rejected, or the model changes between them.
    """
    version, scored = None, 0
    for ids in parts:
        some = replace(wish, ids=ids)
        completed = _follow_part(party, some, _begun if scored else begin, take, version)
        version, scored = completed.model_version, scored + completed.rows
        yield completed


def _follow_part(
    party: Party,
    wish: Wish,
    begin: Callable[[], None],
    take: Callable[[Results], None],
    version: int | None,
) -> PredictionCompleted:
    answer = follow_prediction(party, wish, begin)
    if answer.rejected is not None:
        told = answer.rejected
        raise JobFailedError(f"no scores: {answer.rejected_by} says {told.code}: {told.detail}")
    if answer.completed is None or answer.results is None:
        raise AssertionError("what is not rejected has results")
    if version not in (None, answer.completed.model_version):
        raise JobFailedError(
            f"no scores: another version of {wish.model_id} serves since some customers were "
            "scored: ask again"
        )
    take(answer.results)
    return answer.completed


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
