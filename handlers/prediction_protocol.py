"""The protocol of a prediction (requirements S1, S2): a request, a part a party, or a rejection."""

from events.catalogue import Fact
from events.predictions import (
    PartialScoreReturned,
    PredictionRejected,
    PredictionRequested,
    task_of,
)
from handlers.errors import ProtocolError
from handlers.history import History
from handlers.protocol import WITNESSED, Protocol
from handlers.tasks import task_bytes


def _check_request(_history: History, fact: Fact[PredictionRequested]) -> None:
    terms = fact.event.terms
    for name in terms.asked:
        if fact.payload(task_of(name)).size != task_bytes(terms.rows):
            raise ProtocolError(f"{fact.source} sends {name} a task of other rows than it says")


def _check_part(history: History, fact: Fact[PartialScoreReturned]) -> None:
    event, rows = fact.event, history.one(PredictionRequested).event.terms.rows
    if event.is_held_out or event.model_version is None or event.rows != rows:
        raise ProtocolError(f"{fact.source} returns scores of other rows than were asked for")
    shapes = (fact.payload("scores").shape, fact.payload("status").shape)
    if shapes != ((rows, event.outputs), (rows,)):
        raise ProtocolError(f"{fact.source} returns scores of another shape than it says")
    if history.has(PredictionRejected, source=fact.source):
        raise ProtocolError(f"{fact.source} answers a task that it rejects")


PREDICTION = Protocol(
    name="a prediction",
    events=frozenset(
        {
            PredictionRequested,
            PartialScoreReturned,
            PredictionRejected,
            *WITNESSED,
        }
    ),
    said_once_per={
        **WITNESSED,
    },
    only_after={},
    content={PredictionRequested: _check_request, PartialScoreReturned: _check_part},
)
