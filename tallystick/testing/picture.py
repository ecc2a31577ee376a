"""A sequence of events as a picture in text: what a failed assertion shows."""

from collections.abc import Collection, Sequence
from typing import NoReturn

from events.catalogue import Fact
from events.event import Event

MOST_LINES = 80
Kind = str | type[Event]


def name_of(kind: Kind) -> str:
    return kind if isinstance(kind, str) else kind.type_name()


def fail(message: str, facts: Sequence[Fact[Event]], marked: Collection[int]) -> NoReturn:
    """Raise AssertionError with the sequence, the marked events pointed at."""
    raise AssertionError(f"{message}:\n{picture(facts, marked)}")


def picture(facts: Sequence[Fact[Event]], marked: Collection[int] = ()) -> str:
    """A numbered line an event, `>` before those that matter; the middle of a long one left out."""
    lines = [
        f"{'>' if number in marked else ' '} {number:>3}  {line_of(fact)}"
        for number, fact in enumerate(facts, start=1)
    ]
    if len(lines) > MOST_LINES:
        kept = {*range(MOST_LINES // 2), *range(len(lines) - MOST_LINES // 2, len(lines))}
        kept |= {number - 1 for number in marked}
        lines = [line for place, line in enumerate(lines) if place in kept]
        lines.append(f"  ({len(facts) - len(kept)} events left out)")
    return "\n".join(lines) or "  (no events)"


def line_of(fact: Fact[Event]) -> str:
    """`bank     RowsAligned  rows 172, training rows 140` and so on, for a person."""
    place = "" if not fact.envelope.is_private else "  (private)"
    return f"{fact.source:<12} {fact.envelope.type:<24} {_facts(fact.event)}{place}".rstrip()


def _facts(event: Event) -> str:
    small = {
        name: value
        for name, value in event.model_dump(mode="json").items()
        if isinstance(value, int | float | str) and len(str(value)) <= 30 and name != "job"
    }
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in small.items())
