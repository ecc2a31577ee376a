"""What one other party said about heads, and what is to be said to it."""

from collections import deque
from dataclasses import dataclass, field

from party.heads import Freshness, HeadsStatement

FIRST_PAUSE = 8.0  # before the same is sent once more; then ever longer
MOST_STATEMENTS = 20  # of one sender, until they are compared


@dataclass
class Gap:
    """What a peer lacked when it said so: from behind `have` up to `upto`."""

    have: int
    upto: int
    state: tuple[str, int]
    since: float
    began: float
    pause: float = FIRST_PAUSE
    not_before: float = 0.0


@dataclass
class Peer:
    """What one other party said, and what is to be said to it."""

    asks: bool = False  # it was started, and wants to know what we have of it
    freshness: Freshness = field(default_factory=Freshness)
    statements: deque[HeadsStatement] = field(default_factory=lambda: deque(maxlen=MOST_STATEMENTS))
    taken: int = 0
    gaps: dict[str, Gap] = field(default_factory=dict)
    behind: dict[str, int] = field(default_factory=dict)  # its jobs of which something lacks here
    damaged: list[str] = field(default_factory=list)
    repeated: dict[str, float] = field(default_factory=dict)
