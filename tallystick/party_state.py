"""How a party stands: its log, what is on its way, what it refused, its jobs."""

from pydantic import BaseModel, ConfigDict

from party.errors import AlreadyRunningError
from party.lock import running_alone
from party.opening import Party
from party.reactor import CURSOR
from projections import trainings
from projections.projection import storable
from store import Delivery
from tallystick.party_views import current_views
from tallystick.terminal import say, show_table

MOST_DELIVERIES = 1000


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True)


class Undelivered(_Fact):
    """Events that a recipient has not got yet, by the last reason; without one they are new."""

    recipient: str
    state: str
    reason: str
    events: int
    first_position: int


class RefusedMessages(_Fact):
    sender: str
    reason: str
    type: str
    count: int
    last_time: str


class JobState(_Fact):
    job: str
    state: str
    round: int
    reason: str


class PartyState(_Fact):
    """What `tally party status` shows."""

    name: str
    role: str
    running: bool
    log_head: int
    reacted_to: int
    undelivered: tuple[Undelivered, ...]
    held_from: tuple[str, ...]
    refused: tuple[RefusedMessages, ...]
    jobs: tuple[JobState, ...]


def party_state(party: Party) -> PartyState:
    with current_views(party) as views:
        rows = views.select(trainings())
    return PartyState(
        name=party.name,
        role=str(party.role),
        running=is_running(party),
        log_head=party.log.head(),
        reacted_to=party.log.cursor(CURSOR),
        undelivered=undelivered(party),
        held_from=tuple(f"{source} in {stream}" for source, stream in party.log.held_streams()),
        refused=tuple(
            RefusedMessages(
                sender=storable(one.sender),
                reason=storable(one.reason),
                type=storable(one.type),
                count=one.count,
                last_time=one.last_time,
            )
            for one in party.log.refusals()
        ),
        jobs=tuple(
            JobState(**{name: row[name] for name in ("job", "state", "round", "reason")})
            for row in rows
        ),
    )


def is_running(party: Party) -> bool:
    """Whether some process has the party at work now."""
    try:
        with running_alone(party.folder.lock):
            return False
    except AlreadyRunningError:
        return True


def undelivered(party: Party) -> tuple[Undelivered, ...]:
    """What is on its way and what was given up, one line a recipient and reason."""
    found: dict[tuple[str, str, str], list[Delivery]] = {}
    for state, deliveries in (
        ("waits", party.log.pending_deliveries(MOST_DELIVERIES)),
        ("given up", party.log.parked()),
    ):
        for one in deliveries:
            found.setdefault((one.recipient, state, one.reason or ""), []).append(one)
    return tuple(
        Undelivered(
            recipient=recipient,
            state=state,
            reason=reason,
            events=len(deliveries),
            first_position=deliveries[0].position,
        )
        for (recipient, state, reason), deliveries in found.items()
    )


def count_events(number: int) -> str:
    return f"{number} event{'' if number == 1 else 's'}"


def show_state(state: PartyState) -> None:
    running = "running" if state.running else "not running"
    say(f"{state.name} ({state.role}), {running}; {count_events(state.log_head)} in its log")
    if state.reacted_to < state.log_head:
        say(f"reacted to {state.reacted_to} of them so far")
    for waits in state.undelivered:
        say(
            f"{count_events(waits.events)} for {waits.recipient}: {waits.state}, from position "
            f"{waits.first_position}{': ' + waits.reason if waits.reason else ''}"
        )
    for place in state.held_from:
        say(f"holds events of {place}: something before them has not come yet")
    for refused in state.refused:
        say(
            f"refused {refused.count} from {refused.sender}: {refused.reason}"
            f"{' (' + refused.type + ')' if refused.type else ''}, last {refused.last_time}"
        )
    if state.jobs:
        rows = [(job.job, job.state, str(job.round), job.reason) for job in state.jobs]
        show_table(("job", "state", "round", "reason"), rows, right="round")
