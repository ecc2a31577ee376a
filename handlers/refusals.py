"""How a stream ends without what was asked for: by a member's objection, or by a message that did
not enter the log, for which others would wait for ever.
"""

from events.catalogue import Fact
from events.lifecycle import MessageRefused, TrainingFailed
from events.models import ModelEvaluated
from handlers.drafts import Decision, Draft, draft
from handlers.history import History
from handlers.own import Own


def give_up_when_refused(history: History, fact: Fact[MessageRefused], own: Own) -> Decision:
    """Tell every member why, unless this party needs nothing more from the others."""
    needs_others = own.name == history.terms.local and not history.has(ModelEvaluated)
    if history.is_stopped and not needs_others:
        return []
    detail = f"{own.name} refused a message of {fact.event.sender}: {fact.event.reason}"
    return [draft(TrainingFailed(code="protocol", detail=detail), history.job, history.terms)]


def reject_when_refused(history: History, fact: Fact[MessageRefused], own: Own) -> Decision:
    """Tell every member why, if this party still has something to say or to wait for."""
    if history.is_settled_for(own.name):
        return []
    detail = f"{own.name} refused a message of {fact.event.sender}: {fact.event.reason}"
    return [rejection(history, "protocol", detail)]


def rejection(history: History, code: str, detail: str) -> Draft:
    """What ends a stream of this kind, for every member."""
    ended = history.opening.event.ended(code, detail)
    return draft(ended, history.job, history.agreement)
