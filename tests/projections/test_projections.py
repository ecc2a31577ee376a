"""The views of a party's log: what each shows (requirements D3, C1, C2, T8)."""

import json
from pathlib import Path

import pytest
import rfc8785

from events.event import Event
from events.lifecycle import TrainingDeclined, TrainingFailed, TrainingStopped
from events.rounds import RoundCompleted
from projections import ModelDocumentError, Views, jobs, losses, model, timeline, write_model_files
from store import Log, PayloadStore
from tests.projections.stories import MODEL, Story, append, say


@pytest.fixture
def story() -> Story:
    return Story()


def state(views: Views, log: Log, job: str = "job-1") -> str:
    views.catch_up(log)
    return next(str(row["state"]) for row in views.select(jobs()) if row["job"] == job)


def test_losses_are_listed_round_by_round(
    log: Log, views: Views, story: Story, payloads: PayloadStore
) -> None:
    append(log, *story.whole(payloads))

    assert views.catch_up(log) == 12

    rows = views.select(losses("job-1"))
    assert [(row["party"], row["round"], row["measure"], row["value"]) for row in rows] == [
        ("bank", 1, "loss", 0.693),
        ("bank", 2, "loss", 0.5),
    ]
    assert views.select(losses("job-2")) == []


def test_the_model_table_holds_every_weight_of_our_half(
    log: Log, views: Views, story: Story, payloads: PayloadStore
) -> None:
    append(log, *story.whole(payloads))
    views.catch_up(log)

    rows = views.select(model("job-1"))

    assert [(row["variable"], row["bin"], row["weight"]) for row in rows] == [
        ("(intercept)", "", -2.25),
        ("balance", "= 0", 0.5),
        ("balance", "> 0", -0.25),
        ("age", "all", 2.0**-24),
    ]
    assert {(row["party"], row["version"]) for row in rows} == {("bank", 1)}


def test_a_model_without_intercept_has_no_row_for_one(
    log: Log, views: Views, story: Story, payloads: PayloadStore
) -> None:
    append(log, story.model_saved(payloads, {**MODEL, "intercept": None}))
    views.catch_up(log)
    assert [row["variable"] for row in views.select(model("job-1"))] == ["balance"] * 2 + ["age"]


def test_a_model_saved_again_is_a_new_version(
    log: Log, views: Views, story: Story, payloads: PayloadStore
) -> None:
    again = {**MODEL, "intercept": 7, "variables": []}
    append(log, story.model_saved(payloads), story.model_saved(payloads, again))
    views.catch_up(log)

    rows = views.select(model("job-1"))
    assert [(row["version"], row["variable"], row["weight"]) for row in rows] == [
        (2, "(intercept)", 7.0)
    ]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"intercept": "secret"}, "intercept"),
        ({"variables": [{"name": "secret", "bins": [{"label": "x"}]}]}, r"variables\.0\.bins"),
        ({"variables": None}, "variables"),
    ],
)
def test_a_model_document_of_another_form_is_refused_by_place_not_value(
    log: Log,
    views: Views,
    story: Story,
    payloads: PayloadStore,
    change: dict[str, object],
    place: str,
) -> None:
    append(log, story.model_saved(payloads, {**MODEL, **change}))

    with pytest.raises(ModelDocumentError, match=f"job-1 cannot be read at: {place}") as raised:
        views.catch_up(log)

    assert "secret" not in str(raised.value)
    assert views.select(timeline()) == []


def test_the_timeline_is_the_log_as_a_readable_sequence(
    log: Log, views: Views, story: Story, payloads: PayloadStore
) -> None:
    append(log, *story.whole(payloads))
    views.catch_up(log)

    rows = views.select(timeline())

    assert [row["position"] for row in rows] == list(range(1, 13))
    assert [(row["source"], row["type"], row["round"]) for row in rows[3:9]] == [
        ("arbiter", "PublicKeyIssued", None),
        ("partner", "EncryptedScorePosted", 1),
        ("bank", "LossRecorded", 1),
        ("arbiter", "RoundCompleted", 1),
        ("bank", "LossRecorded", 2),
        ("arbiter", "TrainingStopped", 2),
    ]
    assert {row["job"] for row in rows} == {"job-1"}
    assert rows[1]["facts"] == "customers=900"
    assert rows[3]["facts"] == ""
    assert (rows[4]["cause_position"], rows[5]["cause_position"]) == (4, None)
    assert rows[8]["facts"] == "reason=all flags raised"
    size = len(rfc8785.dumps(MODEL))  # type: ignore[arg-type]
    assert rows[9]["payloads"] == f"model json[{size}]"
    assert rows[9]["payload_bytes"] == size


def test_the_timeline_can_be_read_on_and_by_job(log: Log, views: Views, story: Story) -> None:
    append(log, *(story.requested(job) for job in ("job-1", "job-2", "job-1-again")))
    views.catch_up(log)

    assert [row["position"] for row in views.select(timeline(after=1, limit=1))] == [2]
    assert [row["position"] for row in views.select(timeline(job="job-2"))] == [2]


def test_a_job_goes_from_request_to_evaluation(
    log: Log, views: Views, story: Story, payloads: PayloadStore
) -> None:
    states = []
    for envelope in story.whole(payloads):
        append(log, envelope)
        states.append(state(views, log))

    assert states == [
        *["requested"] * 2,
        "accepted",
        *["training"] * 5,
        *["stopped"] * 3,
        "evaluated",
    ]
    (job,) = views.select(jobs())
    assert json.loads(job["members"]) == ["bank", "partner", "arbiter"]
    assert json.loads(job["accepted"]) == ["arbiter", "partner"]
    assert (job["requested_by"], job["kind"], job["profile"]) == ("bank", "logistic", "default")
    assert (job["round"], job["reason"]) == (2, "all flags raised")
    assert job["started"] < job["ended"]


def test_answers_may_arrive_before_the_request(log: Log, views: Views, story: Story) -> None:
    append(log, story.accepted(story.partner), story.accepted(story.arbiter))
    assert state(views, log) == "requested"
    append(log, story.requested())
    assert state(views, log) == "accepted"


def test_a_declined_job_keeps_the_first_reason(log: Log, views: Views, story: Story) -> None:
    append(log, story.requested())
    say(log, story.partner, [TrainingDeclined(reason="too few rounds\0\x1b[2J")])
    say(log, story.bank, [TrainingFailed(code="declined", detail="the partner declined")])

    assert state(views, log) == "declined"
    assert views.select(jobs())[0]["reason"] == "partner: too few rounds\ufffd\ufffd[2J"
    assert views.select(timeline())[1]["facts"] == "reason=too few rounds\ufffd\ufffd[2J"


@pytest.mark.parametrize(
    ("code", "expected"), [("cancelled", "cancelled"), ("leak-budget", "failed")]
)
def test_a_job_that_fails_stays_so(
    log: Log, views: Views, story: Story, code: str, expected: str
) -> None:
    append(log, story.requested())
    say(
        log,
        story.arbiter,
        [
            TrainingFailed.model_validate({"code": code, "detail": "no more"}),
            TrainingStopped(round=3, reason="round limit"),
        ],
    )
    say(log, story.bank, [TrainingFailed(code="protocol", detail="a second failure")])

    assert state(views, log) == expected
    assert views.select(jobs())[0]["reason"] == f"arbiter: {code}: no more"


@pytest.mark.parametrize(
    "late",
    [TrainingDeclined(reason="too late"), TrainingFailed(code="cancelled", detail="too late")],
)
def test_nothing_undoes_a_trained_model(
    log: Log, views: Views, story: Story, payloads: PayloadStore, late: Event
) -> None:
    """Given a training that stopped, then a failure after it is told and changes no state."""
    whole = list(story.whole(payloads))
    append(log, *whole[:-1])
    for _ in range(2):
        append(log, story.partner.says(late))
        assert state(views, log) == "stopped"
    (job,) = views.select(jobs())
    assert job["reason"].startswith("all flags raised; then partner: ")
    assert job["reason"].count("too late") == 1

    append(log, whole[-1])
    assert state(views, log) == "evaluated"
    append(log, story.partner.says(late))
    assert state(views, log) == "evaluated"


def test_model_files_are_the_saved_documents(
    log: Log, views: Views, story: Story, payloads: PayloadStore, tmp_path: Path
) -> None:
    append(log, *story.whole(payloads))
    views.catch_up(log)
    folder = tmp_path / "models"

    assert write_model_files(views, payloads, folder) == [folder / "job-1.json"]

    assert json.loads((folder / "job-1.json").read_bytes()) == MODEL
    assert [path.name for path in folder.iterdir()] == ["job-1.json"]
    assert (folder / "job-1.json").stat().st_mode & 0o077 == 0
    assert write_model_files(views, payloads, folder) == []

    (folder / "job-1.json").write_text("{}")
    assert write_model_files(views, payloads, folder) == [folder / "job-1.json"]
    assert json.loads((folder / "job-1.json").read_bytes()) == MODEL


def test_a_round_far_out_is_still_a_row(log: Log, views: Views, story: Story) -> None:
    say(log, story.arbiter, [RoundCompleted(round=2**53 - 1)])
    assert state(views, log) == "requested"
    assert views.select(timeline())[0]["round"] == 2**53 - 1
