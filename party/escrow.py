"""Escrows: who a job's payloads are sealed to besides their readers, and what is kept for them.

A reader keeps the sealed bytes as they came, as nobody else has them later: with the escrow's
secret they open without any party's key (docs/threat-model.md).
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from events.escrow import EscrowCard
from events.terms import Agreement, Terms
from party.errors import Reason, RefusalError
from party.sealing import HashingReader
from store.failures import disk_failures

# The header of an age file (age-encryption.org/v1): a stanza a recipient, then its authentication.
RECIPIENT, STANZA, END = b"-> X25519 ", b"-> ", b"---"
GREASE = b"-grease"  # stanzas for nobody, which writers add now and then
LARGEST_HEADER = 16 * 1024


def escrows_of(terms: Agreement | None) -> tuple[EscrowCard, ...]:
    """Who else opens what is sealed for the members of such a job."""
    return terms.escrows if isinstance(terms, Terms) else ()


def check_recipients(head: bytes, expected: int, name: str) -> None:
    """Raise RefusalError unless the sealed payload is for so many recipients.

    Whose they are nobody sees but themselves: that one of them is the escrow, its holder finds.
    """
    stanzas = [line for line in _header(head) if line.startswith(STANZA)]
    found = sum(line.startswith(RECIPIENT) for line in stanzas)
    others = [
        line
        for line in stanzas
        if not line.startswith(RECIPIENT) and not line.split()[1].endswith(GREASE)
    ]
    if found != expected or others:
        raise RefusalError(
            Reason.OTHER_RECIPIENTS, f"{name} is for {found + len(others)}, agreed are {expected}"
        )


def keep_sealed(folder: Path, commitment: str, pieces: Sequence[Path | bytes]) -> None:
    """The sealed bytes as they came, on the disk when this returns."""
    path = sealed_path(folder, commitment)
    unfinished = path.with_suffix(".new")
    reader = HashingReader(pieces)
    try:
        with disk_failures(folder):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(unfinished, "wb", opener=_private) as file:
                while block := reader.read(1 << 20):
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
    finally:
        reader.close()


def remove_sealed(folder: Path, commitments: Iterable[str]) -> None:
    """With the payload goes what was kept of it under seal."""
    with disk_failures(folder):
        for commitment in commitments:
            sealed_path(folder, commitment).unlink(missing_ok=True)


def sealed_path(folder: Path, commitment: str) -> Path:
    return folder / commitment[:2] / commitment


def first_bytes(pieces: Sequence[Path | bytes]) -> bytes:
    """Enough to hold the header of what is in these pieces."""
    reader = HashingReader(pieces)
    try:
        return reader.read_all(LARGEST_HEADER)
    finally:
        reader.close()


def _header(head: bytes) -> list[bytes]:
    lines = head[:LARGEST_HEADER].split(b"\n")
    ends = [place for place, line in enumerate(lines) if line.startswith(END)]
    return lines[1 : ends[0]] if ends else []


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
