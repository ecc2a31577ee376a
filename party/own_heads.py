"""Whether the others hold more of this party's own streams than its log does.

A party that starts asks everyone that it trusts, and decides nothing until they have answered or
their patience is over: its log may be a backup, and what it said since would be said otherwise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

import structlog

from party.heads import NOTHING, HeadsStatement
from party.opening import Party
from party.restoring import Restoration
from party.shared_jobs import SharedJobs

PATIENCE_SECONDS = 5.0  # with those that do not answer
CLAIM_SECONDS = 60.0  # for a claim to be proven by an event with our signature

log = structlog.get_logger()


@dataclass(frozen=True)
class _Claim:
    """How much of a stream of ours somebody says to hold."""

    head: int
    holder: str
    since: float


class OwnHeads:
    """Used by the thread that compares heads; `agree` is set once and for all."""

    def __init__(self, party: Party, session: str, clock: Callable[[], float]) -> None:
        self.agree = Event()
        self._party = party
        self._session = session
        self._clock = clock
        self.restoration = Restoration(party)
        self._awaited: set[str] = set()
        self._give_up = 0.0
        self._claims: dict[str, _Claim] = {}
        if party.log.head() == 0:
            self.agree.set()

    def ask(self) -> set[str]:
        """The link is up: whom to ask, once a start."""
        if self.agree.is_set() or self._give_up:
            return set()
        self._give_up = self._clock() + PATIENCE_SECONDS
        self._awaited = {card.name for card in self._party.trusted} - {self._party.name}
        return set(self._awaited)

    def is_absent(self, peer: str) -> None:
        """Nobody by that name was ever at the broker."""
        self._awaited.discard(peer)

    def compare(self, jobs: SharedJobs, statement: HeadsStatement) -> None:
        """Note an answer, and what it claims."""
        if statement.heard == self._session:
            self._awaited.discard(statement.source)
        for job, heads in statement.held.items():
            claimed = heads.get(self._party.name, NOTHING)
            known = self._claims[job].head if job in self._claims else NOTHING
            if claimed > max(known, jobs.head(job, self._party.name)):
                self._claims[job] = _Claim(claimed, statement.source, self._clock())
                log.warning("own_events_elsewhere", job=job, holder=statement.source)

    def wanted_from(self, holder: str) -> set[str]:
        """Jobs in which this party says that it holds more of us."""
        return {job for job, claim in self._claims.items() if claim.holder == holder}

    def look(self, jobs: SharedJobs) -> None:
        """Finish what is back; agree when nothing is awaited any more."""
        now = self._clock()
        for job, claim in list(self._claims.items()):
            if jobs.head(job, self._party.name) >= claim.head:
                del self._claims[job]
            elif now > claim.since + CLAIM_SECONDS:
                log.warning("own_events_not_returned", job=job)
                del self._claims[job]
        for job in self.restoration.jobs:
            if job not in self._claims:
                self.restoration.finish(job)
        asked = self._give_up and (not self._awaited or now >= self._give_up)
        if asked and not self._claims and not self.agree.is_set():
            if self._awaited:
                log.info("heads_unanswered", parties=sorted(self._awaited))
            self.agree.set()
