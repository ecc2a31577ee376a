"""Each party's measure by round, as curves that also differ without colour."""

import math
from dataclasses import dataclass
from itertools import pairwise
from xml.etree.ElementTree import Element

from audit.report.rendering import measure
from audit.report.story import Curve, JobStory
from audit.report.svg import Point, dot, finished, group, line, picture, text

SERIES = 6
DASHES = ("", "6 4", "2 4", "9 3 2 3", "4 4", "1 5")
WIDTH, HEIGHT = 440, 260
LEFT, RIGHT, TOP, BOTTOM = 66, 16, 14, 58
WORD = 7.5
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MOST_TICKS = 12


@dataclass(frozen=True)
class Scale:
    """Where a round and a value stand; logarithmic where values are far apart."""

    last_round: int
    low: float
    high: float
    logarithmic: bool

    def place(self, number: int, value: float) -> Point:
        across = (number - 1) / max(self.last_round - 1, 1)
        span = self._scaled(self.high) - self._scaled(self.low)
        up = (self._scaled(value) - self._scaled(self.low)) / (span or 1)
        return (
            LEFT + across * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM),
        )

    @property
    def ticks(self) -> list[float]:
        """Powers of ten, or five even steps."""
        if not self.logarithmic:
            return [self.low + (self.high - self.low) * step / 4 for step in range(5)]
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        return [10.0**power for power in range(first, last + 1)]

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value


def curves(job: JobStory) -> str:
    """Empty where the logs at hand know no measure."""
    points = [point for curve in job.curves for point in curve.values]
    if not points:
        return ""
    scale = _scale_of(points, job.stops_below)
    svg = picture(WIDTH, HEIGHT, f"{job.curves[0].measure} by round of {job.name}", "chart")
    _axes(svg, scale)
    if job.stops_below is not None and scale.low <= job.stops_below <= scale.high:
        left, y = scale.place(1, job.stops_below)
        line(svg, (left, y), (WIDTH - RIGHT, y), "limit")
        words = f"flag below {job.stops_below:g}"
        text(svg, (WIDTH - RIGHT, y - 5), words, "end", "limit-word halo")
    for number, curve in enumerate(job.curves):
        _curve(svg, curve, number, scale)
    _legend(svg, job.curves)
    return finished(svg)


def _scale_of(points: list[tuple[int, float]], limit: float | None) -> Scale:
    values = [value for _, value in points]
    low, high, last = min(values), max(values), max(number for number, _ in points)
    if low > 0 and high / low > 20:
        low, high = min(low, limit or low), max(high, limit or high)
        low, high = 10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high))
        return Scale(last, low, high, logarithmic=True)
    room = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    return Scale(last, low - room, high + room, logarithmic=False)


def _axes(svg: Element, scale: Scale) -> None:
    every = math.ceil(len(scale.ticks) / MOST_TICKS)
    for value in scale.ticks[::every]:
        left, y = scale.place(1, value)
        line(svg, (left, y), (WIDTH - RIGHT, y), "grid")
        word = _power(value) if scale.logarithmic else measure(value)
        text(svg, (left - 8, y + 4), word, "end", "quiet")
    bottom = HEIGHT - BOTTOM
    line(svg, (LEFT, bottom), (WIDTH - RIGHT, bottom), "axis")
    step = math.ceil(scale.last_round / MOST_TICKS)
    for number in range(1, scale.last_round + 1, step):
        x, _ = scale.place(number, scale.low)
        line(svg, (x, bottom), (x, bottom + 4), "axis")
        text(svg, (x, bottom + 17), str(number), "middle", "quiet")
    text(svg, (WIDTH - RIGHT, HEIGHT - 10), "round", "end", "quiet")


def _power(value: float) -> str:
    """`10⁻⁴`."""
    return "10" + str(round(math.log10(value))).translate(RAISED)


def _curve(svg: Element, curve: Curve, number: int, scale: Scale) -> None:
    series = group(svg, f"series-{number % SERIES}")
    points = [scale.place(*point) for point in curve.values]
    for start, end in pairwise(points):
        line(series, start, end, dashes=DASHES[number % SERIES])
    for point in points:
        dot(series, point, 3.5)


def _legend(svg: Element, shown: tuple[Curve, ...]) -> None:
    x = float(LEFT)
    for number, curve in enumerate(shown):
        series = group(svg, f"series-{number % SERIES}")
        line(series, (x, HEIGHT - 14), (x + 26, HEIGHT - 14), dashes=DASHES[number % SERIES])
        text(series, (x + 32, HEIGHT - 10), curve.party)
        x += 32 + WORD * len(curve.party) + 18
