"""The pictures of the report: what they show, and what they leave out (D4)."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.opening import open_log
from audit.report.curves import HEIGHT, WIDTH, curves
from audit.report.diagram import sequence_diagram
from audit.report.rendering import duration, size
from audit.report.story import Curve, JobStory
from audit.report.telling import tell
from events.catalogue import Fact
from events.event import Event
from tests.audit.conftest import Federation

POINT = re.compile(r'<circle cx="([\d.-]+)" cy="([\d.-]+)"')


@pytest.fixture(scope="module")
def job(federation: Federation) -> JobStory:
    with open_log(str(federation["bank"].folder.path)) as copy:
        (told,), _ = tell([copy])
    return told


def repeated(job: JobStory, rounds: int) -> JobStory:
    """The same job as if its first round had come so many times."""
    facts: list[Fact[Event]] = []
    first = [fact for fact in job.facts if getattr(fact.event, "round", None) == 1]
    for number in range(1, rounds + 1):
        facts += [
            replace(fact, event=fact.event.model_copy(update={"round": number})) for fact in first
        ]
    return replace(job, facts=tuple(facts))


def test_rounds_that_go_alike_are_told_once(job: JobStory) -> None:
    picture = sequence_diagram(repeated(job, 40))
    assert "rounds 2 to 39 go like round 1" in picture
    assert "StopFlagRaised 1<" in picture
    assert "StopFlagRaised 40<" in picture
    assert "StopFlagRaised 20<" not in picture


def test_few_rounds_and_rounds_that_differ_are_told_in_full(job: JobStory) -> None:
    assert "StopFlagRaised 2<" in sequence_diagram(repeated(job, 3))
    many = repeated(job, 5)
    flags = [fact for fact in many.facts if fact.envelope.type == "StopFlagRaised"]
    missing = next(fact for fact in flags if getattr(fact.event, "round", 0) == 3)
    differing = replace(many, facts=tuple(fact for fact in many.facts if fact is not missing))
    picture = sequence_diagram(differing)
    assert "go like round 1" not in picture
    assert "StopFlagRaised 4<" in picture


def test_an_arrow_goes_to_who_may_open_the_payload(job: JobStory) -> None:
    picture = sequence_diagram(job)
    assert picture.count('class="dot"') == sum(not one.envelope.is_private for one in job.facts)
    readers = sum(
        len({name for one in fact.envelope.payloads for name in one.readers} - {fact.source})
        for fact in job.facts
        if not fact.envelope.is_private
    )
    assert picture.count("<polygon") == readers > 0


VALUES = st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=30)


@given(values=VALUES, limit=st.sampled_from([None, 1e-4, 5.0]))
def test_every_value_stands_in_the_picture_in_its_order(
    values: list[float], limit: float | None
) -> None:
    points = tuple(enumerate(values, start=1))
    told = Curve("bank", "loss", points)
    places = [(float(x), float(y)) for x, y in POINT.findall(curves(story(told, limit)))]
    assert len(places) == len(values)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    by_value = sorted(range(len(values)), key=lambda place: values[place])
    heights = [places[place][1] for place in by_value]
    assert heights == sorted(heights, reverse=True)


def test_far_values_are_on_a_logarithmic_scale_with_the_limit() -> None:
    told = Curve("bank", "predicted decrease", ((1, 1e-2), (2, 1e-3), (3, 1e-6)))
    picture = curves(story(told, 1e-4))
    assert "flag below 0.0001" in picture
    assert "10⁻⁶" in picture
    near = curves(story(Curve("bank", "loss", ((1, 0.6), (2, 0.5))), None))
    assert "10⁻" not in near
    assert "flag" not in near


def test_without_values_there_is_no_picture(job: JobStory) -> None:
    assert curves(replace(job, curves=())) == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (185, "3 min 05 s"),
        (7800, "2 h 10 min"),
        (356_400, "4 d 3 h"),
    ],
)
def test_durations_read_well(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_sizes_read_well() -> None:
    assert [size(one) for one in (0, 1023, 1024, 5 << 20, 3 << 30)] == [
        "0 bytes",
        "1,023 bytes",
        "1.0 KiB",
        "5.0 MiB",
        "3.0 GiB",
    ]


def story(curve: Curve, limit: float | None) -> JobStory:
    return JobStory(
        name="spring",
        kind="logistic regression",
        state="training",
        reason="",
        asked_by="bank",
        started="",
        ended="",
        seconds=0.0,
        most_rounds=12,
        leak_budget=0.5,
        stops_below=limit,
        members=(),
        terms=(),
        rows=None,
        rounds=(),
        curves=(curve,),
        leaks=(),
        digests=(),
        quality=(),
        facts=(),
    )
