"""Jobs of parties in this process, until every data party has its model."""

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from events.models import ModelSaved
from party.jobs import job_history
from party.opening import Party

FINISH_SECONDS = 240
DATA_PARTIES = ("bank", "partner")


def wait_for_models(parties: Mapping[str, Party], jobs: Iterable[str]) -> None:
    """Asked seldom, for they share a process."""
    give_up = time.monotonic() + FINISH_SECONDS
    for job in jobs:
        for name in DATA_PARTIES:
            while not job_history(parties[name].log, job).has_from_all(ModelSaved, DATA_PARTIES):
                assert time.monotonic() < give_up, f"{job} got stuck at {name}"
                time.sleep(0.1)


def model(folder: Path, job: str) -> dict[str, object]:
    """The model file, but for the job's name."""
    text: dict[str, object] = json.loads((folder / "models" / f"{job}.json").read_text())
    assert text.pop("model_id") == job
    return text
