"""Each party's measure by round, as curves that also differ without colour."""

import math
from collections.abc import Callable
from itertools import pairwise
from xml.etree.ElementTree import Element, SubElement

from audit.report.story import Curve, JobStory
from audit.report.svg import finished, line, picture, text

COLOURS = ("#0b5fa5", "#a33b00", "#2c6e2f", "#6b2f8a", "#7a5c00", "#00686b")
DASHES = ("", "6 3", "2 3", "8 3 2 3", "4 4", "1 4")
WIDTH, HEIGHT, MARGIN = 640, 260, 72


def curves(job: JobStory) -> str:
    """Each party's measure by round; on a logarithmic scale where values are far apart."""
    points = [(number, value) for curve in job.curves for number, value in curve.values]
    if not points:
        return ""
    values = [value for _, value in points]
    logarithmic = min(values) > 0 and max(values) / min(values) > 20
    low, high = _scaled(min(values), logarithmic), _scaled(max(values), logarithmic)
    last = max(number for number, _ in points)
    svg = picture(WIDTH, HEIGHT, f"{job.curves[0].measure} by round of {job.name}")

    def place(number: int, value: float) -> tuple[float, float]:
        across = (number - 1) / max(last - 1, 1)
        up = (_scaled(value, logarithmic) - low) / ((high - low) or 1)
        return (
            MARGIN + across * (WIDTH - 2 * MARGIN),
            HEIGHT - MARGIN + 16 - up * (HEIGHT - 2 * MARGIN + 16),
        )

    _axes(svg, last, min(values), max(values), place_of=place)
    for number, curve in enumerate(job.curves):
        _curve(svg, curve, number, [place(*point) for point in curve.values])
    return finished(svg)


def _axes(
    svg: Element,
    last: int,
    low: float,
    high: float,
    place_of: "Callable[[int, float], tuple[float, float]]",
) -> None:
    left, bottom = place_of(1, low)
    right, top = place_of(last, high)
    right = max(right, WIDTH - MARGIN)
    line(svg, (left, bottom), (right, bottom), stroke="#595959")
    line(svg, (left, bottom), (left, top), stroke="#595959")
    for value in (low, high):
        text(svg, left - 6, place_of(1, value)[1] + 4, f"{value:.3g}", anchor="end")
    for number in sorted({1, last}):
        text(svg, place_of(number, low)[0], bottom + 18, f"round {number}", anchor="middle")


def _curve(svg: Element, curve: Curve, number: int, points: list[tuple[float, float]]) -> None:
    colour = COLOURS[number % len(COLOURS)]
    style = {"stroke": colour, "stroke_width": "2"}
    style["stroke_dasharray"] = DASHES[number % len(DASHES)]
    for start, end in pairwise(points):
        line(svg, start, end, **style)
    for x, y in points:
        SubElement(svg, "circle", {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": "3", "fill": colour})
    y = HEIGHT - 8
    x = MARGIN + 140 * number
    line(svg, (x, y - 4), (x + 24, y - 4), **style)
    text(svg, x + 30, y, curve.party)


def _scaled(value: float, logarithmic: bool) -> float:
    return math.log10(value) if logarithmic else value
