"""Which versions of the protocol the members speak, and the jobs run in, as the log says."""

from collections.abc import Sequence
from dataclasses import dataclass

from events.versions import Versions
from handlers.agreement import agreed_version, spoken, version_of_request
from handlers.history import History
from handlers.protocol_versions import AGREEMENT
from party.jobs import job_history
from party.opening import Party

MOST_JOBS = 20  # that are read, the newest


@dataclass(frozen=True)
class VersionsTold:
    """By job, None while members have not answered; by member, as it told last."""

    jobs: dict[str, int | None]
    members: dict[str, Versions]


def versions_told(party: Party, trainings: Sequence[str]) -> VersionsTold:
    """Of the newest of these trainings, which stand in the order in which they began."""
    found = VersionsTold({}, {})
    for job in trainings[-MOST_JOBS:]:
        history = job_history(party.log, job)
        if history.is_known:
            found.jobs[job] = agreed_version(history)
            found.members.update(_told(history))
    return found


def _told(history: History) -> dict[str, Versions]:
    """An acceptance says nothing of versions where the request was written before anybody did."""
    opening = history.opening
    if version_of_request(opening.event) < AGREEMENT:
        return {opening.source: opening.event.speaks}
    return spoken(history)
