"""Upgrading: what earlier releases wrote is read, proved and gone on with by this one (D2, D4)."""

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from audit.comparison import compare
from audit.job_reexecution import Material, reexecute_job
from audit.job_secret import job_secret_of
from audit.opening import open_log
from audit.replay import replay
from audit.verification import verify
from bus import MemoryBroker
from events.lifecycle import TrainingAccepted, TrainingRequested
from events.predictions import PredictionCompleted, PredictionRequested
from events.versions import ONLY_THE_FIRST
from handlers.agreement import agreed_version
from handlers.history import History
from handlers.protocol_versions import SPOKEN
from party.doctor import State, examine
from party.jobs import job_history
from party.opening import open_party, read_private_key_file
from party.predicting import Wish, request_prediction
from party.requesting import request_training
from party.status import party_status
from projections.views import PROJECTIONS
from tallystick.party_views import write_models
from tests.released.writing import (
    ROLES,
    at_work,
    await_all,
    has_begun,
    is_trained,
    make_parties,
    release_terms,
    unpack,
)

RELEASES = sorted(Path(__file__).parent.glob("*.zip"))
WELL = {"permissions", "keys", "cards", "database", "payloads"}


@pytest.fixture(params=RELEASES, ids=lambda path: path.stem)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The folders of an earlier release's parties, stopped in the midst of a job."""
    unpack(request.param, tmp_path)
    return tmp_path


def model(folder: Path, name: str, job: str) -> dict[str, object]:
    """The party's half, but for the job's name."""
    party = open_party(folder / name)
    write_models(party)
    party.close()
    document: dict[str, object] = json.loads((folder / name / "models" / f"{job}.json").read_text())
    return {key: value for key, value in document.items() if key != "model_id"}


def versions(folder: Path, job: str) -> set[int | None]:
    """In which version of the protocol the job ran, as each party's log says."""
    found = set()
    for name in ROLES:
        party = open_party(folder / name)
        found.add(agreed_version(job_history(party.log, job)))
        party.close()
    return found


def is_scored(history: History, _name: str) -> bool:
    return history.has(PredictionCompleted)


def reexecuted(folder: Path, name: str, job: str) -> bool:
    party = open_party(folder / name)
    keys = map(read_private_key_file, (folder / name).glob("keys/paillier/*.json"))
    material = Material(
        secret=job_secret_of(party, job),
        policy=party.settings.policy,
        source=party.settings.source,
        folder=party.folder.path,
        keys={key.public.key_id: key for key in keys},
    )
    party.close()
    with open_log(str(folder / name)) as copy:
        result = reexecute_job(copy, material)
    assert result.repeated > 5, "nothing was decided again"
    return result.holds


def test_an_earlier_releases_logs_are_proved_by_this_one(old: Path, tmp_path: Path) -> None:
    """Verified, replayed and decided again, to the bit."""
    copies = [open_log(str(old / name)) for name in ROLES]
    for copy in copies:
        verified = verify(copy)
        assert [one for one in verified.checks if not one.holds] == []
        views = replay(copy, tmp_path / f"{copy.party}.views").views
        assert len(views) == len(PROJECTIONS)
    for copy in copies:
        copy.close()
    assert all(reexecuted(old, name, "spring") for name in ROLES)


@pytest.mark.parametrize("name", list(ROLES))
def test_an_earlier_releases_party_is_opened_and_well(old: Path, name: str) -> None:
    well = {one.check for one in examine(old / name) if one.state is not State.FAIL}
    assert well >= WELL
    party = open_party(old / name)
    state = party_status(party)
    party.close()
    assert {job.job: job.version for job in state.jobs} == {"spring": 1, "summer": 1}
    with open_log(str(old / name)) as copy:  # its views were brought up to date by now
        assert all(
            view.same for view in replay(copy, old / f"{name}.views").views if view.tables_at
        )


def test_a_job_that_was_under_way_ends_after_the_upgrade_with_the_same_model(old: Path) -> None:
    """Given all parties stopped after the first round, upgraded and started, then `summer` ends as
    `spring` did, in the version in which it began, and the next job runs in the newest.
    """
    with at_work(old) as parties:
        await_all(parties, "summer", is_trained)
        request_training(parties["bank"], "autumn", release_terms())
        await_all(parties, "autumn", is_trained)
    assert versions(old, "summer") == {1}
    assert versions(old, "autumn") == {SPOKEN.newest}
    for name in ("bank", "partner"):
        halves = [model(old, name, job) for job in ("spring", "summer", "autumn")]
        assert halves[0] == halves[1] == halves[2]
    with ExitStack() as stack:
        copies = [stack.enter_context(open_log(str(old / name))) for name in ROLES]
        assert all(verify(copy).holds for copy in copies)
        assert compare(copies).holds
    for name in ROLES:
        assert all(reexecuted(old, name, job) for job in ("summer", "autumn"))


def test_an_earlier_releases_model_scores_after_the_upgrade(old: Path) -> None:
    """In the version of its training: a data party that was not upgraded yet could answer."""
    with at_work(old) as parties:
        job = request_prediction(parties["bank"], Wish("spring", ("105", "106")))
        await_all({"bank": parties["bank"]}, job, is_scored)
        history = job_history(parties["bank"].log, job)
    assert history.one(PredictionCompleted).event.scored == 2
    request = history.one(PredictionRequested)
    assert request.event.speaks == ONLY_THE_FIRST
    assert request.envelope.schemaversion == 1


def test_members_are_upgraded_one_after_the_other_in_the_midst_of_a_job(tmp_path: Path) -> None:
    """Given parties held to version 1, when they stop and start without the limit, one more a time,
    then the job goes on in version 1, and the model is that of a job in the newest.
    """
    make_parties(tmp_path)
    broker = MemoryBroker()
    settings = {name: (tmp_path / name / "party.toml") for name in ROLES}
    texts = {name: file.read_text() for name, file in settings.items()}
    for name, file in settings.items():
        file.write_text(f"newest_protocol = 1\n{texts[name]}")
    with at_work(tmp_path, broker) as parties:
        request_training(parties["bank"], "spring", release_terms())
        await_all(parties, "spring", has_begun)
    settings["partner"].write_text(texts["partner"])
    with at_work(tmp_path, broker) as parties:
        await_all(parties, "spring", is_trained)
        request_training(parties["bank"], "summer", release_terms())
        await_all(parties, "summer", is_trained)
    settings["bank"].write_text(texts["bank"])
    with at_work(tmp_path, broker) as parties:  # the arbiter is held still
        request_training(parties["bank"], "autumn", release_terms())
        await_all(parties, "autumn", is_trained)
        offered = job_history(parties["arbiter"].log, "autumn").one(TrainingRequested)
        told = job_history(parties["bank"].log, "autumn").of(TrainingAccepted, source="arbiter")
    assert offered.event.speaks == SPOKEN
    assert [one.event.speaks for one in told] == [ONLY_THE_FIRST]
    settings["arbiter"].write_text(texts["arbiter"])
    with at_work(tmp_path, broker) as parties:
        request_training(parties["bank"], "winter", release_terms())
        await_all(parties, "winter", is_trained)
    jobs = ("spring", "summer", "autumn", "winter")
    assert [versions(tmp_path, job) for job in jobs] == [{1}, {1}, {1}, {SPOKEN.newest}]
    for name in ("bank", "partner"):
        halves = [model(tmp_path, name, job) for job in jobs]
        assert all(half == halves[0] for half in halves)
    for name in ROLES:
        with open_log(str(tmp_path / name)) as copy:
            assert verify(copy).holds
