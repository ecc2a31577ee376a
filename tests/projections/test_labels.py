"""Final labels: one a customer, model and threshold, the newest (requirements D3, S3, P2)."""

import math

from projections import Views, jobs, labels, trainings
from store import Log, PayloadStore
from tests.projections.stories import Story, append

Label = tuple[str, str, int, float]


def shown(views: Views, log: Log, model: str | None = None) -> list[Label]:
    views.catch_up(log)
    rows = views.select(labels(model))
    return [(row["customer"], row["threshold"], row["label"], row["value"]) for row in rows]


def test_a_customer_above_the_threshold_has_label_1(
    log: Log, views: Views, payloads: PayloadStore
) -> None:
    append(log, *Story().prediction(payloads, [0.25, 0.75, 0.5]))
    expected = [("1", "0.5", -1, 0.25), ("2", "0.5", 1, 0.75), ("3", "0.5", -1, 0.5)]
    assert shown(views, log) == expected


def test_a_customer_that_is_not_scored_has_no_label(
    log: Log, views: Views, payloads: PayloadStore
) -> None:
    append(log, *Story().prediction(payloads, [math.nan, 0.75]))
    assert shown(views, log) == [("2", "0.5", 1, 0.75)]


def test_the_newest_label_takes_the_place_of_an_older_one(
    log: Log, views: Views, payloads: PayloadStore
) -> None:
    """Given two thresholds, then each has a label of its own, and only the same is replaced."""
    story = Story()
    append(log, *story.prediction(payloads, [0.25]))
    append(log, *story.prediction(payloads, [0.625], job="score-2"))
    append(log, *story.prediction(payloads, [0.625], threshold=0.9, job="score-3"))
    assert shown(views, log) == [("1", "0.5", 1, 0.625), ("1", "0.9", -1, 0.625)]
    views.rebuild(log)
    assert shown(views, log) == [("1", "0.5", 1, 0.625), ("1", "0.9", -1, 0.625)]


def test_without_a_threshold_a_probability_is_no_label(
    log: Log, views: Views, payloads: PayloadStore
) -> None:
    append(log, *Story().prediction(payloads, [0.25], threshold=None))
    assert shown(views, log) == []


def test_labels_are_those_of_one_model_where_it_is_named(
    log: Log, views: Views, payloads: PayloadStore
) -> None:
    append(log, *Story().prediction(payloads, [0.25]))
    assert shown(views, log, "spring") == shown(views, log)
    assert shown(views, log, "autumn") == []


def test_a_prediction_is_a_job_that_is_scored_when_every_part_is_there(
    log: Log, views: Views, payloads: PayloadStore
) -> None:
    story = Story().prediction(payloads, [0.25])
    states = []
    for envelope in story:
        append(log, envelope)
        views.catch_up(log)
        states.append(views.select(jobs())[0]["state"])
    assert states == ["requested", "requested", "scored", "scored"]
    row = views.select(jobs())[0]
    assert (row["kind"], row["profile"], row["requested_by"]) == ("prediction", "realtime", "bank")
    assert views.select(trainings()) == []
