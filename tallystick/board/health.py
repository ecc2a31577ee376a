"""How a party is: its processes, how far each pump is behind, what waits, and the disk."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import inspect, select

from audit.database_copy import read_only_engine
from audit.errors import LogPlaceError
from audit.live_log import LiveLog
from party.projecting import views_address
from party.pulse import LINK, REACTOR, read_pulses
from party.reactor import CURSOR
from projections.views import CHECKPOINTS
from store.database import parse_url
from store.entry import Refusal, Undelivered
from store.failures import database_failures
from tallystick.board.attention import count_events, delays, trouble
from tallystick.board.processes import Part, broker_of, holder_of, part_of
from tallystick.board.watched import Watched

LITTLE_BYTES, LITTLE_SHARE = 1 << 30, 0.05
SIZES_LAST_SECONDS = 30.0


@dataclass(frozen=True)
class PumpState:
    """How far a pump has got; `behind` counts events."""

    name: str
    does: str
    behind: int
    words: str


@dataclass(frozen=True)
class Disk:
    """Bytes by what lies there, and what is left where they lie."""

    parts: tuple[tuple[str, int], ...]
    free: int
    total: int

    @property
    def is_full(self) -> bool:
        return self.free < LITTLE_BYTES or self.free < LITTLE_SHARE * self.total


@dataclass(frozen=True)
class Health:
    """`attention` is what a person should look at, in words; `broker` is empty if not known."""

    link: Part
    reactor: Part
    broker: str
    head: int
    last_time: str
    pumps: tuple[PumpState, ...]
    waiting: tuple[Undelivered, ...]
    held: tuple[tuple[str, str, int], ...]
    refusals: tuple[Refusal, ...]
    disk: Disk
    attention: tuple[str, ...]

    @property
    def refused(self) -> int:
        return sum(one.count for one in self.refusals)


class HealthReader:
    """Reads a party's health; sizes on the disk are looked up now and then."""

    def __init__(self, watched: Watched, clock: Callable[[], float] = time.monotonic) -> None:
        self._watched = watched
        self._clock = clock
        self._sizes: tuple[float, tuple[tuple[str, int], ...]] | None = None

    def read(self, log: LiveLog, jobs_under_way: int) -> Health:
        folder = self._watched.folder
        pulses = {pulse.process: pulse for pulse in read_pulses(folder)}
        link = part_of(holder_of(folder.lock), pulses.get(LINK))
        reactor = part_of(holder_of(folder.path / "reactor.lock"), pulses.get(REACTOR))
        broker = broker_of(pulses.get(LINK)) if link.state == "runs" else ""
        head, waiting, held, disk = log.head(), log.undelivered(), log.held(), self._disk()
        reacted = min(log.cursor(CURSOR), head)
        return Health(
            link=link,
            reactor=reactor,
            broker=broker,
            head=head,
            last_time=log.last_time(),
            pumps=(
                _receiving(held),
                PumpState("react", "decides what follows", head - reacted, _behind(head - reacted)),
                _publishing(waiting),
                self._projecting(head),
            ),
            waiting=waiting,
            held=held,
            refusals=log.refusals(),
            disk=disk,
            attention=(
                *trouble(link, reactor, broker, jobs_under_way),
                *delays(waiting, held),
                *(("the disk is nearly full",) if disk.is_full else ()),
            ),
        )

    def _projecting(self, head: int) -> PumpState:
        does = "keeps the tables"
        reached = self._views_reached()
        if reached is None:
            return PumpState("project", does, head, "there are no tables yet")
        behind = max(head - reached, 0)
        return PumpState("project", does, behind, _behind(behind))

    def _views_reached(self) -> int | None:
        url = parse_url(views_address(self._watched.settings, self._watched.folder))
        try:
            engine = read_only_engine(url)
            with database_failures(url), engine.connect() as connection:
                if not inspect(connection).has_table(CHECKPOINTS.name):
                    return None
                rows = connection.execute(select(CHECKPOINTS.c.position)).scalars().all()
        except LogPlaceError:
            return None
        return min(rows, default=None)

    def _disk(self) -> Disk:
        now, folder = self._clock(), self._watched.folder
        if self._sizes is None or now - self._sizes[0] > SIZES_LAST_SECONDS:
            self._sizes = (
                now,
                (
                    ("log", _size(*folder.path.glob(f"{folder.log.name}*"))),
                    ("payloads", _size(folder.payloads)),
                    ("tables", _size(*folder.path.glob(f"{folder.views.name}*"))),
                    ("on its way", _size(folder.spool)),
                    ("models", _size(folder.models)),
                ),
            )
        usage = shutil.disk_usage(folder.path)
        return Disk(self._sizes[1], usage.free, usage.total)


def _receiving(held: tuple[tuple[str, str, int], ...]) -> PumpState:
    waits = sum(count for _, _, count in held)
    words = "nothing waits"
    if waits:
        words = f"{count_events(waits)} came before the one they follow, and wait for it"
    return PumpState("receive", "checks and appends", waits, words)


def _publishing(waiting: tuple[Undelivered, ...]) -> PumpState:
    behind = sum(one.events for one in waiting)
    words = "everything is confirmed"
    if behind:
        recipients = sorted({one.recipient for one in waiting})
        words = f"{count_events(behind)} not confirmed yet by {', '.join(recipients)}"
    return PumpState("publish", "sends until confirmed", behind, words)


def _behind(events: int) -> str:
    return f"{count_events(events)} behind" if events else "up to date"


def _size(*places: Path) -> int:
    """Bytes of files and of all files below folders; what vanishes meanwhile counts nothing."""
    total = 0
    for place in places:
        for path in place.rglob("*") if place.is_dir() else (place,):
            try:
                total += 0 if path.is_dir() else path.stat().st_size
            except OSError:
                continue
    return total
