"""Signs of life of a running party, for whoever looks from outside: a small file a process.

Nobody decides anything by them: they may be missing, old or lost. No personal data.
"""

import contextlib
import os
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from bus.endpoint import Endpoint
from events.envelope import format_time
from events.vocabulary import Frozen
from party.folder import PartyFolder
from party.pump import Pump

BEAT_SECONDS = 2.0
LINK, REACTOR = "link", "reactor"


class PumpPulse(Frozen):
    """One pump: whether its thread lives, whether its last step failed, and its last failure."""

    name: str
    alive: bool
    failing: bool
    failures: int
    last_failure: str | None = None
    last_failure_time: str | None = None


class BrokerPulse(Frozen):
    """The connection, and why the broker takes no parcels at the moment, if so."""

    connected: bool
    blocked: str | None = None
    last_error: str | None = None


class Pulse(Frozen):
    """One process of the party (`link` or `reactor`), at the moment of `written`."""

    process: str
    pid: int
    since: str
    written: str
    pumps: tuple[PumpPulse, ...]
    broker: BrokerPulse | None = None

    @property
    def age(self) -> float:
        """Seconds since it was written."""
        return (datetime.now(UTC) - datetime.fromisoformat(self.written)).total_seconds()


class Heart:
    """Writes one process's pulse; a full disk or a missing folder is no reason to stop."""

    def __init__(
        self,
        folder: PartyFolder,
        process: str,
        pumps: Iterable[Pump],
        endpoint: Endpoint | None = None,
    ) -> None:
        self._path = pulse_file(folder, process)
        self._process = process
        self._pumps = pumps
        self._endpoint = endpoint
        self._since = format_time(datetime.now(UTC))
        self._due = 0.0

    def beat_when_due(self) -> None:
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + BEAT_SECONDS
            self.beat()

    def beat(self) -> None:
        pulse = Pulse(
            process=self._process,
            pid=os.getpid(),
            since=self._since,
            written=format_time(datetime.now(UTC)),
            pumps=tuple(map(pump_pulse, self._pumps)),
            broker=broker_pulse(self._endpoint) if self._endpoint else None,
        )
        unfinished = self._path.with_suffix(".new")
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            unfinished.write_text(pulse.model_dump_json(), encoding="utf-8")
            unfinished.replace(self._path)


def read_pulses(folder: PartyFolder) -> tuple[Pulse, ...]:
    """The newest pulse of each process, also of one that is long gone: look at its age."""
    found = []
    for process in (LINK, REACTOR):
        with contextlib.suppress(OSError, ValidationError):
            text = pulse_file(folder, process).read_bytes()
            found.append(Pulse.model_validate_json(text))
    return tuple(found)


def pulse_file(folder: PartyFolder, process: str) -> Path:
    return folder.pulses / f"{process}.json"


def pump_pulse(pump: Pump) -> PumpPulse:
    last = pump.last_failure
    return PumpPulse(
        name=pump.name,
        alive=pump.alive,
        failing=pump.failing,
        failures=pump.failures,
        last_failure=last.what if last else None,
        last_failure_time=last.time if last else None,
    )


def broker_pulse(endpoint: Endpoint) -> BrokerPulse:
    error = endpoint.last_error
    return BrokerPulse(
        connected=endpoint.connected,
        blocked=endpoint.blocked,
        last_error=str(error) if error else None,
    )
