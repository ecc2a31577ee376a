"""Who said what to whom: the shared events of a job between the members' lifelines."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from audit.report.story import JobStory
from audit.report.svg import box, dot, finished, line, picture, text, tip
from events.catalogue import Fact
from events.event import Event

LANE, TOP, STEP = 216, 40, 24
MOST_LINES, WORTH_LEAVING_OUT = 70, 20
FEW_ROUNDS = 3


@dataclass(frozen=True)
class Step:
    """A line of the diagram: an event, or words across all lifelines."""

    fact: Fact[Event] | None
    words: str = ""


def sequence_diagram(job: JobStory) -> str:
    """Lifelines of the members, an arrow from each event to those that may open its payloads.

    A dot on its issuer's line is an event without sealed payloads: every member hears it. Rounds
    in the middle that go as the first one did are one line.
    """
    names = [member.name for member in job.members]
    steps = _shortened(_steps([fact for fact in job.facts if not fact.envelope.is_private]))
    width, height = LANE * len(names), TOP + STEP * (len(steps) + 1)
    svg = picture(width, height, f"Sequence of the shared events of {job.name}")
    places = {name: LANE // 2 + LANE * number for number, name in enumerate(names)}
    for number, step in enumerate(steps, start=1):
        if step.fact is None:
            box(svg, (4, TOP + STEP * number - 11), width - 8, STEP - 6, "band")
    for name, x in places.items():
        line(svg, (x, TOP - 10), (x, height - 8), "life")
        text(svg, (x, 20), name, "middle", "strong")
    for number, step in enumerate(steps, start=1):
        y = TOP + STEP * number
        if step.fact is None:
            text(svg, (12, y + 2), step.words, kind="quiet")
        elif step.fact.source in places:
            _event(svg, step.fact, places, y)
    return finished(svg)


def _steps(facts: Sequence[Fact[Event]]) -> list[Step]:
    """In the order of the log, but each round in one piece where it began."""
    by_round: dict[int, list[Fact[Event]]] = {}
    pieces: list[int | Fact[Event]] = []
    for fact in facts:
        number = _round(fact)
        if number is None:
            pieces.append(fact)
            continue
        if number not in by_round:
            by_round[number] = []
            pieces.append(number)
        by_round[number].append(fact)
    left_out = _alike(by_round)
    steps = []
    for piece in pieces:
        if isinstance(piece, Fact):
            steps.append(Step(piece))
        elif piece not in left_out:
            steps.append(Step(None, f"round {piece}"))
            steps += map(Step, by_round[piece])
        elif piece == min(left_out):
            events = sum(len(by_round[one]) for one in left_out)
            words = f"rounds {piece} to {max(left_out)} go like round 1: {events} events"
            steps.append(Step(None, words))
    return steps


def _alike(by_round: dict[int, list[Fact[Event]]]) -> set[int]:
    """Rounds in the middle in which the same parties said the same as in the first."""
    if len(by_round) <= FEW_ROUNDS:
        return set()
    said = {
        number: Counter((fact.source, fact.envelope.type) for fact in facts)
        for number, facts in by_round.items()
    }
    first, *middle, _ = sorted(by_round)
    if all(said[number] == said[first] for number in middle):
        return set(middle)
    return set()


def _shortened(steps: list[Step]) -> list[Step]:
    """All of them, or the beginning and the end of many."""
    if len(steps) <= MOST_LINES + WORTH_LEAVING_OUT:
        return steps
    first, last = steps[: MOST_LINES // 2], steps[-MOST_LINES // 2 :]
    left_out = len(steps) - len(first) - len(last)
    return [*first, Step(None, f"… {left_out} more lines, see the table …"), *last]


def _event(svg: Element, fact: Fact[Event], places: dict[str, int], y: float) -> None:
    x = places[fact.source]
    readers = {name for one in fact.envelope.payloads for name in one.readers if name in places}
    others = sorted(places[name] for name in readers if name != fact.source)
    number = _round(fact)
    label = fact.envelope.type + (f" {number}" if number is not None else "")
    for other in others:
        direction = 1 if other > x else -1
        line(svg, (x, y), (other - 4 * direction, y), "says")
        tip(svg, (other, y), direction)
    dot(svg, (x, y), 4, "dot")
    to_the_right = others[0] > x if others else x != max(places.values())
    side = 1 if to_the_right else -1
    above = 5 if others else -4
    text(svg, (x + 9 * side, y - above), label, "start" if to_the_right else "end", "halo")


def _round(fact: Fact[Event]) -> int | None:
    number = getattr(fact.event, "round", None)
    return number if isinstance(number, int) else None
