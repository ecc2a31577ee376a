"""Opening what an escrow may open: sealed payloads, with the escrow's secret and no party's key.

Each is compared with the commitment that its issuer signed, so neither the party that kept it nor
the holder of the escrow can show anything else.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyrage
from pydantic import computed_field
from pyrage import x25519

from audit.errors import EvidenceError
from audit.log_copy import LogCopy
from audit.payload_files import PayloadFiles
from events.catalogue import CATALOGUE
from events.envelope import Envelope, PayloadReference
from events.errors import EventError
from events.opening import Opening
from events.vocabulary import Frozen
from party.errors import KeyFileError, PartyError
from party.escrow import escrows_of, sealed_path
from party.identity import read_secret
from store.payloads import SALT_BYTES


class Opened(Frozen):
    """One payload; `problem` is empty where it opened and is what was committed to."""

    position: int
    job: str
    event: str
    type: str
    source: str
    payload: str
    kind: str
    size: int
    commitment: str
    problem: str = ""


class EscrowOpening(Frozen):
    """What the escrow's secret opened of one party's log."""

    place: str
    party: str
    payloads: tuple[Opened, ...]
    others: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def holds(self) -> bool:
        return not any(one.problem for one in self.payloads)


@dataclass(frozen=True)
class _Place:
    """A payload of an escrowed job that the party of the log is a reader of."""

    position: int
    envelope: Envelope
    reference: PayloadReference


def read_escrow_secret(path: Path) -> x25519.Identity:
    """Raises KeyFileError: not there, open to other users, or no secret of an escrow."""
    try:
        lines = read_secret(path).decode().splitlines()
        [secret] = [line for line in lines if line and not line.startswith("#")]
        return x25519.Identity.from_str(secret.strip())
    except (UnicodeDecodeError, ValueError, pyrage.IdentityError):
        raise KeyFileError(
            f"{path} is no secret of an escrow: `tally escrow new` makes one"
        ) from None


def open_escrowed(
    copy: LogCopy, secret: x25519.Identity, out: Path | None = None, job: str | None = None
) -> EscrowOpening:
    """Open every payload that came to the log's party in jobs with this escrow.

    They are written to `out` as a folder of payloads, salt ‖ plaintext by commitment. Raises
    EvidenceError: no such job names this escrow, or no sealed payload came with the log.
    """
    places, others = _places(copy, str(secret.to_public()), job)
    sealed = copy.sealed
    if sealed is None or (
        places and not any(sealed.has(one.reference.commitment) for one in places)
    ):
        raise EvidenceError(
            "no sealed payload came with this log: ask the party for `tally log export --sealed`"
        )
    with tempfile.TemporaryDirectory() as folder:
        opened = [_opened(sealed, one, secret, out or Path(folder)) for one in places]
    return EscrowOpening(place=copy.place, party=copy.party, payloads=tuple(opened), others=others)


def _places(copy: LogCopy, key: str, job: str | None) -> tuple[list[_Place], int]:
    """And how many payloads of these jobs are other readers'."""
    jobs, places, others = set[str](), list[_Place](), 0
    for position, envelope in _shared(copy):
        if _names(envelope, key) and job in {None, envelope.stream}:
            jobs.add(envelope.stream)
        if envelope.stream not in jobs:
            continue
        for reference in envelope.payloads:
            if copy.party in reference.readers:
                places.append(_Place(position, envelope, reference))
            else:
                others += bool(reference.readers)
    if not jobs:
        what = f"the job {job} of this log" if job else "no job of this log"
        raise EvidenceError(f"{what} names no such escrow: {key} is its public key")
    return places, others


def _shared(copy: LogCopy) -> Iterator[tuple[int, Envelope]]:
    for entry in copy.entries():
        if not entry.envelope.is_private:
            yield entry.position, entry.envelope


def _names(envelope: Envelope, key: str) -> bool:
    try:
        event = CATALOGUE.read(envelope).event
    except EventError:
        return False
    if not isinstance(event, Opening):
        return False
    return key in {escrow.sealing_key for escrow in escrows_of(event.terms)}


def _opened(sealed: PayloadFiles, place: _Place, secret: x25519.Identity, out: Path) -> Opened:
    envelope, reference = place.envelope, place.reference
    return Opened(
        position=place.position,
        job=envelope.stream,
        event=envelope.id,
        type=envelope.type,
        source=envelope.source,
        payload=reference.name,
        kind=reference.kind,
        size=reference.size,
        commitment=reference.commitment,
        problem=_problem(sealed, reference, secret, sealed_path(out, reference.commitment)),
    )


def _problem(
    sealed: PayloadFiles, reference: PayloadReference, secret: x25519.Identity, target: Path
) -> str:
    """Open it to `target`; why that is not what was committed to, or nothing."""
    if not sealed.has(reference.commitment):
        return "was not kept under seal"
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with sealed.open_salted(reference.commitment) as source, _private(target) as file:
            pyrage.decrypt_io(source, file, [secret])
    except (pyrage.DecryptError, OSError, PartyError):
        target.unlink(missing_ok=True)
        return "does not open with the escrow's secret: its issuer sealed it to another key"
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != reference.commitment or target.stat().st_size != SALT_BYTES + reference.size:
        target.unlink()
        return "is not what its issuer committed to"
    return ""


def _private(path: Path) -> BinaryIO:
    """A new file for this user alone."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
