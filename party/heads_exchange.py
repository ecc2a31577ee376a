"""The pump that compares heads with the other members, and sends again what one of them lacks.

The broker is never trusted to remember: whenever the link comes up, soon after and then ever more
slowly, a party states its heads to everyone that it shares a job with. An issuer that hears the
same gap twice, with nothing taken in between, makes the deliveries pending again. Statements go
out by the clock and never in answer, so two parties cannot drive each other.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from secrets import token_hex
from threading import Condition

import structlog

from bus.endpoint import Endpoint
from bus.parcel import Parcel
from party.heads import (
    MOST_DAMAGED,
    MOST_STREAMS,
    NOTHING,
    Freshness,
    Heads,
    HeadsStatement,
    read_statement,
)
from party.opening import Party
from party.pump import Pump
from party.shared_jobs import SharedJobs

FIRST_GAP, LONGEST_GAP = 2.0, 60.0
UNCHANGED_SECONDS = 1.0  # between two statements of the same gap
STUCK_SECONDS = 120.0  # after which a gap is one, whatever else comes meanwhile
FIRST_PAUSE, LONGEST_PAUSE = 8.0, 300.0  # between sending the same again and again
MOST_STATEMENTS = 20  # of one sender, until they are compared
MOST_GAPS = 1_000
MOST_UNKNOWN = 100  # jobs that a peer speaks of and this log does not know

log = structlog.get_logger()


@dataclass
class _Gap:
    """What a peer lacked when it said so: from behind `have` up to `upto`."""

    have: int
    upto: int
    state: tuple[str, int]
    since: float
    began: float
    pause: float = FIRST_PAUSE
    not_before: float = 0.0


@dataclass
class _Peer:
    """What one other party said, and what is to be said to it."""

    freshness: Freshness = field(default_factory=Freshness)
    statements: deque[HeadsStatement] = field(default_factory=lambda: deque(maxlen=MOST_STATEMENTS))
    taken: int = 0
    gaps: dict[str, _Gap] = field(default_factory=dict)
    behind: dict[str, int] = field(default_factory=dict)  # its jobs of which something lacks here
    damaged: list[str] = field(default_factory=list)
    repeated: dict[str, float] = field(default_factory=dict)


class HeadsExchange:
    """One thread calls `step`; `take`, `count` and `ask_again` are for the receiving thread."""

    def __init__(
        self,
        party: Party,
        endpoint: Endpoint,
        look_again: Callable[[], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._party = party
        self._endpoint = endpoint
        self._look_again = look_again
        self._clock = clock
        self._session = token_hex(16)
        self._number = 0
        self._peers: dict[str, _Peer] = {}
        self._jobs: SharedJobs | None = None
        self._connections = 0
        self._gap = FIRST_GAP
        self._due = 0.0
        self._changed = Condition()

    def pump(self) -> Pump:
        return Pump("heads", self.step, self._forget, pause=0.1)

    def take(self, sender: str, content: bytes) -> None:
        """Note a statement of heads. Raises RefusalError for one that is not to be believed."""
        statement = read_statement(sender, self._party.name, content, self._party.trusted)
        with self._changed:
            peer = self._peers.setdefault(sender, _Peer())
            if peer.freshness.admits(statement):
                peer.statements.append(statement)
                self._changed.notify_all()

    def count(self, sender: str) -> None:
        """Something of a trusted sender has come: what it sent is on its way, and not lost."""
        with self._changed:
            if sender in self._peers:
                self._peers[sender].taken += 1

    def ask_again(self, sender: str, event_id: str) -> None:
        """A payload of this event did not arrive as it was sent."""
        with self._changed:
            damaged = self._peers.setdefault(sender, _Peer()).damaged
            if event_id not in damaged and len(damaged) < MOST_DAMAGED:
                damaged.append(event_id)
            self._hurry()
            self._changed.notify_all()

    def step(self, timeout: float = 0.5) -> None:
        """Compare what was said, and state our heads when it is time."""
        if self._endpoint.connections != self._connections:
            self._connections = self._endpoint.connections
            self._gap, self._due = FIRST_GAP, self._clock()
        with self._changed:
            wait = min(timeout, max(0.0, self._due - self._clock()))
            self._changed.wait_for(
                lambda: any(one.statements for one in self._peers.values()), wait
            )
            news = [
                (peer, peer.statements.popleft())
                for peer in self._peers.values()
                for _ in range(len(peer.statements))
            ]
        if not news and self._clock() < self._due:
            return
        jobs = self._caught_up()
        for peer, statement in news:
            self._compare(jobs, peer, statement)
        if self._clock() >= self._due:
            self._state_all(jobs)
            self._due = self._clock() + self._gap
            self._gap = min(LONGEST_GAP, 2 * self._gap)

    def _caught_up(self) -> SharedJobs:
        if self._jobs is None:
            self._jobs = SharedJobs(self._party.log, self._clock)
        self._jobs.catch_up()
        return self._jobs

    def _hurry(self) -> None:
        """Something is missing on one side: say so again soon."""
        if self._gap > FIRST_GAP:
            self._gap = FIRST_GAP
            self._due = min(self._due, self._clock() + FIRST_GAP)

    def _compare(self, jobs: SharedJobs, peer: _Peer, statement: HeadsStatement) -> None:
        """What the peer lacks of ours, what we lack of the peer's, and what came damaged."""
        name, other = self._party.name, statement.source
        unknown = 0
        for job, heads in statement.held.items():
            if jobs.share(job, name, other):
                self._compare_own(jobs, peer, statement, job)
                mine = jobs.head(job, other)
            elif (unknown := unknown + 1) > MOST_UNKNOWN:
                continue
            else:
                mine = NOTHING
            self._compare_theirs(peer, job, heads.get(other, NOTHING), mine)
        for event_id in statement.damaged:
            self._repeat_damaged(peer, other, event_id)

    def _compare_own(
        self, jobs: SharedJobs, peer: _Peer, statement: HeadsStatement, job: str
    ) -> None:
        """The second time that the same is missing, and nothing came in between, it is lost."""
        name, now = self._party.name, self._clock()
        mine, have = jobs.head(job, name), statement.held[job].get(name)
        if have is None or have >= mine:
            peer.gaps.pop(job, None)
            return
        self._hurry()
        state = statement.session, statement.taken
        gap = peer.gaps.get(job)
        if gap is None or gap.have != have:
            if len(peer.gaps) >= MOST_GAPS:
                peer.gaps.clear()
            peer.gaps[job] = _Gap(have, mine, state, since=now, began=now)
        elif gap.state != state and now < gap.began + STUCK_SECONDS:
            gap.state, gap.upto, gap.since = state, mine, now
        elif now >= max(gap.since + UNCHANGED_SECONDS, gap.not_before):
            self._send_again(job, have + 1, gap.upto, statement.source)
            gap.not_before = now + gap.pause
            gap.pause = min(LONGEST_PAUSE, 2 * gap.pause)
            gap.upto, gap.since = mine, now

    def _compare_theirs(self, peer: _Peer, job: str, theirs: int, mine: int) -> None:
        """Remember where the peer is ahead: our statements to it then speak of that job."""
        if theirs <= mine:
            peer.behind.pop(job, None)
        elif job in peer.behind or len(peer.behind) < MOST_UNKNOWN:
            peer.behind[job] = mine
            self._hurry()

    def _repeat_damaged(self, peer: _Peer, other: str, event_id: str) -> None:
        """One event, at most once in a pause: its issuer decides how often, not who asks."""
        now = self._clock()
        for known in [known for known, until in peer.repeated.items() if until <= now]:
            del peer.repeated[known]
        entry = self._party.log.entry(event_id)
        if entry is None or event_id in peer.repeated or len(peer.repeated) >= MOST_GAPS:
            return
        envelope = entry.envelope
        if envelope.source == self._party.name and not envelope.is_private:
            peer.repeated[event_id] = now + UNCHANGED_SECONDS
            self._send_again(envelope.stream, envelope.sequence, envelope.sequence, other)

    def _send_again(self, job: str, first: int, last: int, recipient: str) -> None:
        with self._party.log.transaction() as transaction:
            events = transaction.deliver_again(self._party.name, job, first, last, recipient)
        if events:
            log.warning("sending_again", job=job, recipient=recipient, events=events)
            self._look_again()

    def _state_all(self, jobs: SharedJobs) -> None:
        with self._changed:
            spoken_of = {name for name, peer in self._peers.items() if peer.behind or peer.damaged}
        for other in sorted((jobs.members() | spoken_of) - {self._party.name}):
            if self._party.trusted.card(other) is not None:
                self._state(jobs, other)

    def _state(self, jobs: SharedJobs, other: str) -> None:
        """All that there is to say to one peer; nothing when there is nothing."""
        with self._changed:
            peer = self._peers.setdefault(other, _Peer())
            damaged, peer.damaged = tuple(peer.damaged), []
            taken = peer.taken
        held: dict[str, Heads] = {job: one.heads for job, one in jobs.among(other).items()}
        for job in list(peer.behind):
            if job not in held:
                held[job] = {other: jobs.head(job, other)}
        for part in _parts(held) if held or damaged else ():
            statement = HeadsStatement(
                source=self._party.name,
                recipient=other,
                session=self._session,
                number=self._number,
                taken=taken,
                held={job: dict(heads) for job, heads in part.items()},
                damaged=damaged,
            ).signed_with(self._party.identity.signing)
            self._number += 1
            damaged = ()
            parcel = Parcel(self._party.name, other, "heads", {}, statement.content())
            self._endpoint.send(parcel, lambda _outcome: None)  # the next one says it again

    def _forget(self) -> None:
        self._jobs = None
        self._due = self._clock()


def _parts(held: dict[str, Heads]) -> Iterator[dict[str, Heads]]:
    """In statements that are not too large; one, empty, where there is nothing."""
    part: dict[str, Heads] = {}
    streams = 0
    for job, heads in held.items():
        if part and streams + len(heads) > MOST_STREAMS:
            yield part
            part, streams = {}, 0
        part[job] = heads
        streams += len(heads)
    yield part
