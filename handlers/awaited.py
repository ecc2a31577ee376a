"""Whose answer is still missing, whatever was asked for."""

from collections.abc import Callable, Mapping

from events.identifying import IdentificationRequested
from events.lifecycle import TrainingAccepted, TrainingRequested
from events.opening import Opening
from events.predictions import PredictionRequested
from events.rotation import KeyRotated
from handlers import identifier, initiator
from handlers.history import History


def awaited(history: History) -> tuple[str, ...]:
    """The members that the party that asks waits for until the deadline."""
    return AWAITED[type(history.opening.event)](history)


def awaited_by_training(history: History) -> tuple[str, ...]:
    answered = {answer.source for answer in history.of(TrainingAccepted)}
    terms = history.terms
    return tuple(name for name in terms.asked if name not in answered)


AWAITED: Mapping[type[Opening], Callable[[History], tuple[str, ...]]] = {
    TrainingRequested: awaited_by_training,
    PredictionRequested: initiator.unanswered,
    IdentificationRequested: identifier.unanswered,
    KeyRotated: lambda _history: (),
}
