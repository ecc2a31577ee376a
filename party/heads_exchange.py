"""The pump that compares heads with the other members, and sends again what one of them lacks.

The broker is never trusted to remember: whenever the link comes up, soon after and then ever more
slowly, a party states its heads to everyone that it shares a job with. An issuer that hears the
same gap twice, with nothing taken in between, makes the deliveries pending again. Statements go
out by the clock and never in answer, so two parties cannot drive each other; one that was just
started has its first a little sooner. It also gets back what it said itself, if it lost that.
"""

import time
from collections.abc import Callable
from secrets import token_hex
from threading import Condition, Event

import structlog

from bus.endpoint import Endpoint
from bus.parcel import Outcome, Parcel
from party.errors import Reason, RefusalError
from party.heads import (
    MOST_DAMAGED,
    NOTHING,
    Heads,
    HeadsStatement,
    in_parts,
    read_statement,
)
from party.heads_peer import Gap, Peer
from party.keys_exchange import KeysExchange
from party.opening import Party
from party.own_heads import OwnHeads
from party.pump import Pump
from party.shared_jobs import SharedJobs

FIRST_GAP, LONGEST_GAP = 2.0, 60.0
UNCHANGED_SECONDS = 1.0  # between two statements of the same gap
STUCK_SECONDS = 120.0  # after which a gap is one, whatever else comes meanwhile
LONGEST_PAUSE = 300.0  # between sending the same again and again
ANSWER_SECONDS = 0.5  # after our last statements, for one who was just started
MOST_RETURNED = 200  # own events to a party that lost them, at once
MOST_GAPS = 1_000
MOST_UNKNOWN = 100  # jobs that a peer speaks of and this log does not know

log = structlog.get_logger()


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
        self._peers: dict[str, Peer] = {}
        self._jobs: SharedJobs | None = None
        self._connections = 0
        self._gap = FIRST_GAP
        self._due = self._stated = 0.0
        self._changed = Condition()
        self._own = OwnHeads(party, self._session, clock)
        self._keys = KeysExchange(party, endpoint, look_again, clock)
        self._greet: set[str] = set()

    def pump(self) -> Pump:
        return Pump("heads", self.step, self._forget, pause=0.1)

    @property
    def agree(self) -> Event:
        """Set when no other party is known to hold more of our own streams than we do."""
        return self._own.agree

    def take_back(self, sender: str, canonical: bytes) -> None:
        """An event of our own, returned by a peer. Raises RefusalError."""
        self._own.restoration.take_back(sender, canonical)

    def take(self, sender: str, content: bytes) -> None:
        """Note a statement of heads. Raises RefusalError for one that is not to be believed."""
        try:
            statement = read_statement(sender, self._party.name, content, self._party.trusted)
        except RefusalError as refusal:
            if refusal.reason is Reason.RETIRED_KEY:
                self._keys.note(sender)
            raise
        with self._changed:
            peer = self._peers.setdefault(sender, Peer())
            known = peer.freshness.session
            if peer.freshness.admits(statement):
                peer.statements.append(statement)
                if statement.session != known:
                    peer.asks = True
                    self._due = min(self._due, max(self._clock(), self._stated + ANSWER_SECONDS))
                self._changed.notify_all()

    def count(self, sender: str) -> None:
        """Something of a trusted sender has come: what it sent is on its way, and not lost."""
        with self._changed:
            if sender in self._peers:
                self._peers[sender].taken += 1

    def ask_again(self, sender: str, event_id: str) -> None:
        """A payload of this event did not arrive as it was sent."""
        with self._changed:
            damaged = self._peers.setdefault(sender, Peer()).damaged
            if event_id not in damaged and len(damaged) < MOST_DAMAGED:
                damaged.append(event_id)
            self._hurry()
            self._changed.notify_all()

    def step(self, timeout: float = 0.5) -> None:
        """Compare what was said, and state our heads when it is time."""
        if self._endpoint.connections != self._connections:
            self._connections = self._endpoint.connections
            self._gap, self._due = FIRST_GAP, self._clock()
            self._greet = self._own.ask()
            self._keys.tell_again(*(card.name for card in self._party.trusted))
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
        self._keys.remind()
        if not news and self._clock() < self._due and self._own.agree.is_set():
            return
        jobs = self._caught_up()
        for peer, statement in news:
            self._compare(jobs, peer, statement)
        self._own.look(jobs)
        if self._clock() >= self._due:
            self._state_all(jobs)
            self._stated = self._clock()
            self._due = self._stated + self._gap
            self._gap = min(LONGEST_GAP, 2 * self._gap)

    def _caught_up(self) -> SharedJobs:
        if self._jobs is None:
            self._jobs = SharedJobs(self._party.log, self._party.jobs, self._clock)
        self._jobs.catch_up()
        return self._jobs

    def _hurry(self) -> None:
        """Something is missing on one side: say so again soon."""
        if self._gap > FIRST_GAP:
            self._gap = FIRST_GAP
            self._due = min(self._due, self._clock() + FIRST_GAP)

    def _compare(self, jobs: SharedJobs, peer: Peer, statement: HeadsStatement) -> None:
        """What the peer lacks of ours, what we lack of the peer's, and what came damaged."""
        name, other = self._party.name, statement.source
        self._own.compare(jobs, statement)
        unknown = 0
        for job, heads in statement.held.items():
            if jobs.share(job, name, other):
                self._compare_own(jobs, peer, statement, job)
                if heads.get(other, NOTHING) < jobs.head(job, other):
                    self._return(peer, other, job, heads.get(other, NOTHING))
                mine = jobs.head(job, other)
            elif (unknown := unknown + 1) > MOST_UNKNOWN:
                continue
            else:
                mine = NOTHING
            self._compare_theirs(peer, job, heads.get(other, NOTHING), mine)
        for event_id in statement.damaged:
            self._repeat_damaged(peer, other, event_id)

    def _compare_own(
        self, jobs: SharedJobs, peer: Peer, statement: HeadsStatement, job: str
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
            peer.gaps[job] = Gap(have, mine, state, since=now, began=now)
        elif gap.state != state and now < gap.began + STUCK_SECONDS:
            gap.state, gap.upto, gap.since = state, mine, now
        elif now >= max(gap.since + UNCHANGED_SECONDS, gap.not_before):
            self._send_again(job, have + 1, gap.upto, statement.source)
            gap.not_before = now + gap.pause
            gap.pause = min(LONGEST_PAUSE, 2 * gap.pause)
            gap.upto, gap.since = mine, now

    def _compare_theirs(self, peer: Peer, job: str, theirs: int, mine: int) -> None:
        """Remember where the peer is ahead: our statements to it then speak of that job."""
        if theirs <= mine:
            peer.behind.pop(job, None)
        elif job in peer.behind or len(peer.behind) < MOST_UNKNOWN:
            peer.behind[job] = mine
            self._hurry()

    def _repeat_damaged(self, peer: Peer, other: str, event_id: str) -> None:
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

    def _return(self, peer: Peer, other: str, job: str, have: int) -> None:
        """Give a party back what it said itself, as far as it lacks it; now and then."""
        key, now = f"returned {job}", self._clock()
        if peer.repeated.get(key, 0.0) > now or len(peer.repeated) >= MOST_GAPS:
            return
        peer.repeated[key] = now + UNCHANGED_SECONDS
        said = self._party.log.stream(other, job)[have + 1 : have + 1 + MOST_RETURNED]
        log.warning("returning", job=job, recipient=other, events=len(said))
        for entry in said:
            parcel = Parcel(self._party.name, other, "returned", {}, entry.canonical)
            self._endpoint.send(parcel, lambda _outcome: None)

    def _send_again(self, job: str, first: int, last: int, recipient: str) -> None:
        with self._party.log.transaction() as transaction:
            events = transaction.deliver_again(self._party.name, job, first, last, recipient)
        if events:
            log.warning("sending_again", job=job, recipient=recipient, events=events)
            self._look_again()

    def _state_all(self, jobs: SharedJobs) -> None:
        with self._changed:
            spoken_of = {
                name
                for name, peer in self._peers.items()
                if peer.behind or peer.damaged or peer.asks
            }
        greet, self._greet = self._greet, set()
        for other in sorted((jobs.members() | spoken_of | greet) - {self._party.name}):
            if self._party.trusted.card(other) is not None:
                self._state(jobs, other, greets=other in greet)

    def _state(self, jobs: SharedJobs, other: str, *, greets: bool) -> None:
        """All that there is to say to one peer; nothing when there is nothing."""
        with self._changed:
            peer = self._peers.setdefault(other, Peer())
            damaged, peer.damaged = tuple(peer.damaged), []
            taken, heard = peer.taken, peer.freshness.session
            asks, peer.asks = peer.asks, False
        if asks:
            self._keys.tell_again(other)
        shared = jobs.among(other, also_quiet=asks)
        held: dict[str, Heads] = {job: one.heads for job, one in shared.items()}
        for job in (peer.behind.keys() | self._own.wanted_from(other)) - held.keys():
            held[job] = {one: jobs.head(job, one) for one in (self._party.name, other)}

        def sent(outcome: Outcome) -> None:  # what is lost, the next statement says again
            if outcome is Outcome.UNROUTABLE:
                self._own.is_absent(other)

        for part in in_parts(held) if held or damaged or asks or greets else ():
            statement = HeadsStatement(
                source=self._party.name,
                recipient=other,
                session=self._session,
                number=self._number,
                taken=taken,
                heard=heard,
                held={job: dict(heads) for job, heads in part.items()},
                damaged=damaged,
            ).signed_with(self._party.identity.signing)
            self._number += 1
            damaged = ()
            parcel = Parcel(self._party.name, other, "heads", {}, statement.content())
            self._endpoint.send(parcel, sent)

    def _forget(self) -> None:
        self._jobs = None
        self._due = self._clock()
