"""How often each customer was identified by each model: the quota's count, from the log (L3)."""

from events.identifying import IdentificationRejected
from projections import Views, exhausted, jobs, labels, trainings
from store import Log, PayloadStore
from tests.projections.stories import Story, append

LABELS = {"1": 1, "2": -1, "3": 0}


def spent(views: Views, log: Log, limit: int, model: str = "spring") -> int:
    views.catch_up(log)
    (row,) = views.select(exhausted(model, ["1", "2", "9"], limit))
    count: int = row["customers"]
    return count


def test_every_request_counts_for_each_customer_that_is_here(
    log: Log, views: Views, payloads: PayloadStore
) -> None:
    """Given two requests, one for a customer fewer, then each has its own count."""
    story = Story()
    append(log, *story.identification(payloads, LABELS))
    append(log, *story.identification(payloads, {"2": 1}, tau=0.05, job="identify-2"))
    assert [spent(views, log, limit) for limit in (1, 2, 3)] == [2, 1, 0]
    assert spent(views, log, 1, "autumn") == 0
    views.rebuild(log)
    assert [spent(views, log, limit) for limit in (1, 2, 3)] == [2, 1, 0]


def test_a_label_is_kept_by_model_threshold_and_customer(
    log: Log, views: Views, payloads: PayloadStore
) -> None:
    """Beside labels of the joint score; a customer whom a party lacks has none."""
    story = Story()
    append(log, *story.prediction(payloads, [0.25], threshold=0.03))
    append(log, *story.identification(payloads, LABELS))
    again = story.identification(payloads, {"2": 1}, scores=[4], job="identify-2")
    append(log, *again)
    views.catch_up(log)
    rows = views.select(labels("spring"))
    assert [(row["customer"], row["threshold"], row["label"], row["value"]) for row in rows] == [
        ("1", "0.03", 1, 0.25),
        ("1", "tau 0.03", 1, None),
        ("2", "tau 0.03", 1, 0.04),
    ]


def test_an_identification_is_a_job_that_the_arbiter_ends(
    log: Log, views: Views, payloads: PayloadStore
) -> None:
    """Also where a timer spoke a moment before: the arbiter's word stands."""
    story = Story()
    *before, identified, _recorded = story.identification(payloads, LABELS)
    states = []
    late = IdentificationRejected(code="deadline", detail="no answer in time from arbiter")
    for envelope in (*before, story.bank.says(late, "identify-1"), identified):
        append(log, envelope)
        views.catch_up(log)
        states.append(views.select(jobs())[0]["state"])
    assert states == [*4 * ["requested"], "rejected", "identified"]
    row = views.select(jobs())[0]
    assert (row["kind"], row["profile"], row["reason"]) == ("identification", "labels", "")
    assert views.select(trainings()) == []
