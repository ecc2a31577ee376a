"""What a person should look at, in words."""

from collections.abc import Iterator

from store.entry import Undelivered
from tallystick.board.processes import CONNECTED, Part


def trouble(link: Part, reactor: Part, broker: str, jobs_under_way: int) -> Iterator[str]:
    """What keeps the party from working."""
    if link.state == "does not run" and jobs_under_way:
        jobs = "a training is" if jobs_under_way == 1 else f"{jobs_under_way} trainings are"
        yield f"the party does not run, though {jobs} under way: `tally party run` goes on"
    if broker not in ("", CONNECTED):
        yield f"the broker: {broker}"
    for part in (link, reactor):
        for pump in part.failing:
            yield f"{pump.name} fails: {pump.last_failure or 'no reason is told'}"


def delays(
    waiting: tuple[Undelivered, ...], held: tuple[tuple[str, str, int], ...]
) -> Iterator[str]:
    """What does not get on, either way."""
    for one in waiting:
        if one.state == "parked":
            reason = one.reason or "no reason is told"
            yield f"{count_events(one.events)} for {one.recipient} given up: {reason}"
        elif one.reason:
            yield f"{count_events(one.events)} for {one.recipient}: {one.reason}"
    for source, stream, count in held:
        yield f"{count_events(count)} of {source} in {stream} wait for the one before them"


def count_events(number: int) -> str:
    return f"{number:,} event{'' if number == 1 else 's'}"
