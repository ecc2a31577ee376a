"""The secret of one job in a file: what an auditor needs to decide again, and nothing more.

It is derived from the master secret and gives nothing away about it, nor about other jobs. Whoever
has it can draw this party's masks of this job again: it is for auditors whom the party trusts.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import StringConstraints, ValidationError

from audit.errors import EvidenceError
from events.canonical import canonical_json
from events.vocabulary import Frozen, PartyName, StreamName
from handlers.own import job_secret
from party.identity import read_secret, write_secret
from party.jobs import job_history
from party.opening import Party

Hexadecimal = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class JobSecret(Frozen):
    """One party's secret of one job."""

    format: Literal["tallystick-job-secret"] = "tallystick-job-secret"
    version: Literal[1] = 1
    party: PartyName
    job: StreamName
    secret: Hexadecimal


def job_secret_of(party: Party, job: str) -> JobSecret:
    """Raises EvidenceError when this party has no part in such a job."""
    history = job_history(party.log, job)
    if not history.is_known or history.agreement.role_of(party.name) is None:
        raise EvidenceError(f"{party.name} has no job {job}: `tally job list` shows them")
    secret = job_secret(party.identity.secret, job)
    return JobSecret(party=party.name, job=job, secret=secret.hex())


def write_job_secret(secret: JobSecret, path: Path) -> None:
    """For this user alone. Raises EvidenceError: there is such a file already."""
    try:
        write_secret(path, canonical_json(secret.model_dump(mode="json")) + b"\n")
    except FileExistsError:
        raise EvidenceError(f"{path} is there already: choose another name") from None


def read_job_secret(path: Path) -> JobSecret:
    """Raises KeyFileError: not there, or open to other users; EvidenceError: something else."""
    try:
        return JobSecret.model_validate_json(read_secret(path))
    except ValidationError:
        raise EvidenceError(
            f"{path} is no secret of a job: ask the party for `tally secret export`"
        ) from None
