"""How a party stands: its log, its pumps, what is on its way, what it refused, its jobs.

Plain reading: it works beside the running party, and changes nothing that anybody decides by.
"""

from contextlib import closing

from events.vocabulary import Frozen
from party.errors import AlreadyRunningError
from party.lock import running_alone
from party.opening import Party
from party.others_keys import ChangedKeys, changed_keys
from party.projecting import open_views
from party.pulse import BrokerPulse, Pulse, read_pulses
from party.tracks import Track
from party.versions_told import versions_told
from projections import trainings
from projections.projection import storable


class Undelivered(Frozen):
    """Events that a recipient has not got yet, by the last reason; without one they are new."""

    recipient: str
    state: str
    reason: str
    events: int
    first_position: int


class RefusedMessages(Frozen):
    sender: str
    reason: str
    type: str
    count: int
    last_time: str


class JobState(Frozen):
    job: str
    state: str
    round: int
    reason: str


class VersionedJob(JobState):
    """`version` of the protocol that it runs in; None until agreed, and for very old jobs."""

    version: int | None


class Spoken(Frozen):
    """Which versions of the protocol a member told last that it speaks."""

    name: str
    versions: str


class PumpState(Frozen):
    """How far one pump has got in the log; `lag` is what it still has to do, in events."""

    name: str
    position: int
    lag: int


class LastError(Frozen):
    """What last went wrong in one part of the running party, and whether it still does."""

    where: str
    what: str
    time: str | None
    is_over: bool


class PartyStatus(Frozen):
    """What `tally party status` shows."""

    name: str
    role: str
    running: bool
    since: str | None
    log_head: int
    reacted_to: int
    pumps: tuple[PumpState, ...]
    broker: BrokerPulse | None
    undelivered: tuple[Undelivered, ...]
    held_from: tuple[str, ...]
    refused: tuple[RefusedMessages, ...]
    jobs: tuple[VersionedJob, ...]
    speaks: str
    members: tuple[Spoken, ...]
    last_errors: tuple[LastError, ...]
    changed_keys: tuple[ChangedKeys, ...] = ()


def party_status(party: Party) -> PartyStatus:
    head = party.log.head()
    waiting = undelivered(party)
    with closing(open_views(party)) as views:
        projected = views.position()
        views.catch_up(party.log)
        rows = views.select(trainings())
    told = versions_told(party, [row["job"] for row in rows])
    running = is_running(party)
    pulses = read_pulses(party.folder) if running else ()
    return PartyStatus(
        name=party.name,
        role=str(party.role),
        running=running,
        since=min((pulse.since for pulse in pulses), default=None),
        log_head=head,
        reacted_to=reacted_to(party),
        pumps=pump_states(party, head, projected),
        broker=next((pulse.broker for pulse in pulses if pulse.broker), None),
        undelivered=waiting,
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
            VersionedJob(
                **{name: row[name] for name in ("job", "state", "round", "reason")},
                version=told.jobs.get(row["job"]),
            )
            for row in rows
        ),
        speaks=str(party.settings.speaks),
        members=tuple(
            Spoken(name=name, versions=str(versions))
            for name, versions in sorted(told.members.items())
            if name != party.name
        ),
        last_errors=last_errors(pulses),
        changed_keys=tuple(changed_keys(party)),
    )


def is_running(party: Party) -> bool:
    """Whether some process has the party at work now."""
    try:
        with running_alone(party.folder.lock):
            return False
    except AlreadyRunningError:
        return True


def pump_states(party: Party, head: int, projected: int) -> tuple[PumpState, ...]:
    """React and project by their place in the log, publish by what is not confirmed."""
    reacted = reacted_to(party)
    unsent = [one for one in party.log.undelivered_counts() if one.state == "pending"]
    first = min((count.first_position for count in unsent), default=head + 1)
    return (
        PumpState(name="react", position=reacted, lag=max(0, head - reacted)),
        PumpState(name="publish", position=first - 1, lag=sum(one.events for one in unsent)),
        PumpState(name="project", position=projected, lag=max(0, head - projected)),
    )


def reacted_to(party: Party) -> int:
    """On all tracks; one that never began stands with the other."""
    return min(filter(None, map(party.log.cursor, Track)), default=0)


def last_errors(pulses: tuple[Pulse, ...]) -> tuple[LastError, ...]:
    """Of each pump and of the broker's connection, as the running processes told them."""
    found = [
        LastError(
            where=pump.name,
            what=pump.last_failure,
            time=pump.last_failure_time,
            is_over=not pump.failing,
        )
        for pulse in pulses
        for pump in pulse.pumps
        if pump.last_failure is not None
    ]
    for pulse in pulses:
        if pulse.broker is not None and pulse.broker.last_error is not None:
            is_over = pulse.broker.connected
            found.append(
                LastError(where="broker", what=pulse.broker.last_error, time=None, is_over=is_over)
            )
    return tuple(found)


def undelivered(party: Party) -> tuple[Undelivered, ...]:
    """What is on its way and what was given up, one line a recipient and reason."""
    return tuple(
        Undelivered(
            recipient=one.recipient,
            state="given up" if one.state == "parked" else "waits",
            reason=one.reason,
            events=one.events,
            first_position=one.first_position,
        )
        for one in party.log.undelivered_counts()
    )
