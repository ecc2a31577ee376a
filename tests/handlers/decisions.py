"""What a handler decided, where it objects."""

from events.lifecycle import TrainingFailed
from handlers.drafts import Decision, Draft


def protocol_failure(decision: Decision) -> str:
    """How the only decision tells every member that somebody broke the protocol."""
    (drafted, *_) = decision
    assert isinstance(drafted, Draft)
    assert isinstance(drafted.event, TrainingFailed)
    assert drafted.event.code == "protocol"
    return drafted.event.detail
