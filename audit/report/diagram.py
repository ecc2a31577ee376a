"""Who said what to whom: the shared events of a job between the members' lifelines."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

from audit.report.story import JobStory
from audit.report.svg import finished, line, picture, text
from events.catalogue import Fact
from events.event import Event

LANE, TOP, STEP = 210, 46, 24
MOST_LINES, WORTH_LEAVING_OUT = 70, 20


@dataclass(frozen=True)
class Step:
    """A line of the diagram: an event, or how many were left out."""

    fact: Fact[Event] | None
    left_out: int = 0


def sequence_diagram(job: JobStory) -> str:
    """Lifelines of the members, an arrow from each event to those that may open its payloads.

    A dot on its issuer's line is an event without sealed payloads: every member hears it.
    """
    names = [member.name for member in job.members]
    steps = _steps([fact for fact in job.facts if not fact.envelope.is_private])
    width, height = LANE * len(names), TOP + STEP * (len(steps) + 1)
    svg = picture(width, height, f"Sequence of the shared events of {job.name}")
    places = {name: LANE // 2 + LANE * number for number, name in enumerate(names)}
    for name, x in places.items():
        line(svg, (x, TOP - 12), (x, height - 8), stroke="#b8b8b8")
        text(svg, x, 20, name, anchor="middle", weight="bold")
    for number, step in enumerate(steps, start=1):
        y = TOP + STEP * number
        if step.fact is None:
            text(svg, width / 2, y, f"… {step.left_out} more events like these …", anchor="middle")
        elif step.fact.source in places:
            _event(svg, step.fact, places, y)
    return finished(svg)


def _steps(facts: Sequence[Fact[Event]]) -> list[Step]:
    """All of them, or the beginning and the end of many."""
    if len(facts) <= MOST_LINES + WORTH_LEAVING_OUT:
        return [Step(fact) for fact in facts]
    first, last = facts[: MOST_LINES // 2], facts[-MOST_LINES // 2 :]
    left_out = len(facts) - len(first) - len(last)
    return [*map(Step, first), Step(None, left_out), *map(Step, last)]


def _event(svg: Element, fact: Fact[Event], places: dict[str, int], y: float) -> None:
    x = places[fact.source]
    readers = {name for one in fact.envelope.payloads for name in one.readers if name in places}
    others = sorted(places[name] for name in readers if name != fact.source)
    number = getattr(fact.event, "round", None)
    label = fact.envelope.type + (f" {number}" if number is not None else "")
    for other in others:
        line(svg, (x, y), (other, y), stroke="#0b5fa5", marker_end="url(#arrow)")
    SubElement(svg, "circle", {"cx": f"{x}", "cy": f"{y}", "r": "4", "fill": "#0b5fa5"})
    to_the_left = bool(others) and others[0] > x
    at_edge = x == max(places.values())
    if to_the_left or (not others and not at_edge):
        text(svg, x + 8, y - 5, label)
    else:
        text(svg, x - 8, y - 5, label, anchor="end")
