"""The versions of the protocol that this software speaks, and what a job of each may say.

A change of what members tell each other is a new version, told here: which events, in which
schemas, there were before it. Reading has no versions: every event ever released is read for ever.

1  as released before members told each other what they speak
2  requests offer versions and acceptances tell them; jobs may have escrows; keys rotate
"""

from collections.abc import Mapping

from events.event import Event
from events.identifying import IdentificationRequested
from events.lifecycle import TrainingAccepted, TrainingRequested
from events.predictions import PredictionRequested
from events.terms import Agreement, Terms
from events.versions import Versions

SPOKEN = Versions(oldest=1, newest=2)
AGREEMENT = 2  # the first in which anybody tells what it speaks
ESCROWS = 2
KEYS_ROTATE = 2

# Up to and in this version, the newest schema of an event; 0 where there was no such event.
SCHEMAS_UNTIL: Mapping[int, Mapping[type[Event], int]] = {
    1: {
        TrainingRequested: 2,
        TrainingAccepted: 2,
        PredictionRequested: 1,
        IdentificationRequested: 1,
    },
}


def schema_in(version: int, kind: type[Event]) -> int:
    """The newest schema of an event in jobs of this version; 0 where it has no such event."""
    newest = kind.VERSION
    for until, schemas in SCHEMAS_UNTIL.items():
        if version <= until:
            newest = min(newest, schemas.get(kind, newest))
    return newest


def is_the_same_in_all(kind: type[Event]) -> bool:
    """Whether every version has the event in its newest schema."""
    return schema_in(SPOKEN.oldest, kind) == kind.VERSION


def oldest_needed(terms: Agreement) -> int:
    """The first version that can say these terms."""
    return ESCROWS if isinstance(terms, Terms) and terms.escrows else SPOKEN.oldest
