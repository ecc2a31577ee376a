"""Predictions that no checkpoint covers yet, counted by who takes part in them (D4).

Each is over in a moment and there are many: one checkpoint covers them all, after so many events or
when an interval is over, and goes to the members of the newest one.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from events.envelope import Envelope
from events.predictions import PartialScoreReturned, PredictionCompleted, PredictionRequested
from events.witness import CheckpointDisputed, CheckpointPosted
from party.jobs import MOST_KNOWN

MOST_EVENTS = 10_000
ABOUT_LOGS = {CheckpointPosted.type_name(), CheckpointDisputed.type_name()}
# With one of these of its own a party has done its part.
DONE = {PartialScoreReturned.type_name(), PredictionCompleted.type_name()}

Members = tuple[str, ...]


@dataclass
class _Uncovered:
    """Events since the members' last checkpoint, and the newest prediction that is done."""

    events: int = 0
    since: str = ""
    newest: str = ""


class Unwitnessed:
    """What one party's log says of predictions, entry by entry."""

    def __init__(self, party: str) -> None:
        self._party = party
        self._members: OrderedDict[str, Members] = OrderedDict()
        self._uncovered: dict[Members, _Uncovered] = {}

    def note(self, envelope: Envelope, job: str) -> None:
        if envelope.type == PredictionRequested.type_name():
            self._members[job] = members_of(envelope)
            if len(self._members) > MOST_KNOWN:
                self._members.popitem(last=False)
        members = self._members.get(job)
        if members is None:
            return
        uncovered = self._uncovered.setdefault(members, _Uncovered())
        is_own = envelope.source == self._party
        if is_own and envelope.type == CheckpointPosted.type_name():
            self._uncovered[members] = _Uncovered()
        elif envelope.type not in ABOUT_LOGS:
            uncovered.events += 1
            uncovered.since = uncovered.since or envelope.time
            if is_own and envelope.type in DONE:
                uncovered.newest = job

    def due(self, now: datetime, interval: timedelta) -> list[str]:
        """The predictions in whose streams a checkpoint is to be posted."""
        return [
            one.newest
            for one in self._uncovered.values()
            if one.newest
            and (one.events >= MOST_EVENTS or now - datetime.fromisoformat(one.since) >= interval)
        ]

    def leave_out(self, job: str) -> None:
        """Nothing can be said in its stream: wait for another."""
        for one in self._uncovered.values():
            if one.newest == job:
                one.newest = ""


def members_of(envelope: Envelope) -> Members:
    match envelope.data.get("terms"):
        case {"members": list(members)}:
            return tuple(sorted(str(one["name"]) for one in members if isinstance(one, dict)))
    return ()
