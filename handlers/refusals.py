"""A member's message that did not enter the log: whoever waits for it would wait for ever."""

from events.catalogue import Fact
from events.lifecycle import MessageRefused, TrainingFailed
from events.models import ModelEvaluated
from handlers.drafts import Decision, draft
from handlers.history import History
from handlers.own import Own


def give_up_when_refused(history: History, fact: Fact[MessageRefused], own: Own) -> Decision:
    """Tell every member why, unless this party needs nothing more from the others."""
    needs_others = own.name == history.terms.local and not history.has(ModelEvaluated)
    if history.is_stopped and not needs_others:
        return []
    detail = f"{own.name} refused a message of {fact.event.sender}: {fact.event.reason}"
    return [draft(TrainingFailed(code="protocol", detail=detail), history.job, history.terms)]
