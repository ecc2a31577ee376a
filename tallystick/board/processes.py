"""Which process has a party at work, told from outside: looking never takes the party's lock."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from party.pulse import BEAT_SECONDS, Pulse, PumpPulse

OLD_BEATS = 5
CONNECTED = "connected"
LOCKS = Path("/proc/locks")

State = Literal["runs", "does not run", "not known"]


@dataclass(frozen=True)
class Process:
    """Who holds a lock file. `pid` is None where it does not run, or cannot be seen from here."""

    state: State
    pid: int | None = None


@dataclass(frozen=True)
class Part:
    """A process of the party: `since` and its failing pumps as it told last, if it does."""

    process: Process
    since: str = ""
    failing: tuple[PumpPulse, ...] = ()

    @property
    def state(self) -> str:
        return self.process.state

    @property
    def pid(self) -> int | None:
        return self.process.pid


def holder_of(lock: Path, locks: Path = LOCKS) -> Process:
    """The process that holds the lock, as the kernel tells; "not known" where it tells nobody."""
    try:
        table = locks.read_text(encoding="ascii")
    except OSError:
        return Process("not known")
    try:
        found = lock.stat()
    except OSError:
        return Process("does not run")
    place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    for line in table.splitlines():
        words = line.split()
        if len(words) >= 6 and words[1] == "FLOCK" and words[5] == place and words[3] == "WRITE":
            pid = int(words[4])
            return Process("runs", pid if pid > 0 else None)
    return Process("does not run")


def part_of(process: Process, pulse: Pulse | None) -> Part:
    """A process that is gone leaves its last words behind: they say nothing of now."""
    if pulse is None or pulse.age > OLD_BEATS * BEAT_SECONDS:
        return Part(process)
    if process.state == "not known":
        process = Process("runs", pulse.pid)
    if process.state != "runs":
        return Part(process)
    failing = tuple(pump for pump in pulse.pumps if pump.failing)
    return Part(process, pulse.since, failing)


def broker_of(pulse: Pulse | None) -> str:
    if pulse is None or pulse.broker is None or pulse.age > OLD_BEATS * BEAT_SECONDS:
        return ""
    told = pulse.broker
    if not told.connected:
        return f"not connected{': ' + told.last_error if told.last_error else ''}"
    return f"connected, but takes nothing: {told.blocked}" if told.blocked else CONNECTED
