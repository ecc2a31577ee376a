"""Writing an export: one portable file of a party's log, as docs/log-format.md describes it.

The same log gives the same bytes: members in one order, without times, not compressed, and a
checkpoint whose signature is deterministic.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

from audit.errors import EvidenceError, LogPlaceError
from audit.key_checks import MARK
from audit.log_copy import Scope
from audit.partial_tree import omitted_parts
from audit.payload_files import payload_member
from events.canonical import canonical_json
from events.checkpoint import sign_checkpoint
from events.merkle import MerkleTree
from events.vocabulary import PRIVATE_STREAM
from party.escrow import sealed_path
from party.opening import Party
from store.entry import Entry
from store.log import Log

FORMAT, VERSION = "tallystick-log", 1
MANIFEST, CHECKPOINT, EVENTS, POSITIONS = (
    "manifest.json",
    "checkpoint.txt",
    "events.jsonl",
    "positions.txt",
)
OMITTED, EARLIER, REFUSALS = "omitted.jsonl", "earlier.jsonl", "refusals.jsonl"
CARDS = "cards/"
SEALED = "sealed"
PAGE = 5_000
NO_TIME = (1980, 1, 1, 0, 0, 0)
LARGE = 1 << 31
PRIVATE_FILE = 0o600


@dataclass(frozen=True)
class Exported:
    """What went into the file."""

    events: int
    payloads: int
    size: int
    root: bytes


def export_log(
    party: Party,
    out: Path,
    scope: Scope | None = None,
    *,
    payloads: bool = False,
    sealed: bool = False,
) -> Exported:
    """Write the file, whole or not at all; an older one of this name is replaced.

    `sealed` adds what an escrow can open, as it came.
    Raises EvidenceError when the log has no such job, LogPlaceError, OSError, StoreError.
    """
    check_place(out)
    scope = scope or Scope()
    tree, chosen, rotations = MerkleTree(), [], []
    for entry in all_entries(party.log):
        tree.append(entry.canonical)
        if _is_wanted(entry, scope):
            chosen.append(entry)
        elif MARK in entry.canonical:
            rotations.append(entry)
    if scope.job is not None and not chosen:
        raise EvidenceError(f"the log of {party.name} has no event of a job {scope.job}")
    chosen = _with_rotations(party, chosen, rotations)
    descriptor, name = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file, ZipFile(file, "w") as archive:
            files = _payloads_here(party, chosen) if payloads else []
            _write(archive, party, scope, tree, chosen, with_payloads=payloads)
            for commitment in files:
                _copy(archive, party.payloads.salted_file(commitment), payload_member(commitment))
            for path in _sealed_here(party, chosen) if sealed else []:
                _copy(archive, path, payload_member(path.name, SEALED))
        Path(name).replace(out)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Exported(len(chosen), len(files), len(tree), tree.root())


def check_place(out: Path) -> None:
    """Before any work. Raises LogPlaceError: no file can be written there."""
    if out.is_dir():
        raise LogPlaceError(f"{out} is a folder: name a file in it")
    if not out.absolute().parent.is_dir():
        raise LogPlaceError(f"{out} cannot be written: there is no folder {out.parent}")


def all_entries(log: Log, head: int | None = None) -> Iterator[Entry]:
    """The log page by page, up to where it ends now."""
    end = log.head() if head is None else head
    after = 0
    while after < end:
        page = log.read(after, PAGE)
        yield from takewhile(lambda entry: entry.position <= end, page)
        after = page[-1].position


def _with_rotations(party: Party, chosen: list[Entry], rotations: list[Entry]) -> list[Entry]:
    """Without the changes of their keys nobody can verify what those who speak here said."""
    speak = {party.name, *(entry.envelope.source for entry in chosen)} if rotations else set()
    theirs = [entry for entry in rotations if entry.envelope.source in speak]
    return sorted([*chosen, *theirs], key=lambda entry: entry.position) if theirs else chosen


def _is_wanted(entry: Entry, scope: Scope) -> bool:
    envelope = entry.envelope
    if envelope.is_private and not scope.private:
        return False
    job = envelope.data.get("job") if envelope.stream == PRIVATE_STREAM else envelope.stream
    return scope.job in {None, job}


def _write(
    archive: ZipFile,
    party: Party,
    scope: Scope,
    tree: MerkleTree,
    chosen: list[Entry],
    *,
    with_payloads: bool,
) -> None:
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "party": party.name,
        "job": scope.job,
        "private": scope.private,
        "payloads": with_payloads,
        "events": len(chosen),
        "size": len(tree),
        "root": tree.root().hex(),
    }
    _add(archive, MANIFEST, canonical_json(manifest) + b"\n")
    card = party.card
    signed = sign_checkpoint(card, party.identity.signing, len(tree), tree.root())
    _add(archive, CHECKPOINT, signed.note(card).encode())
    others = {one.name: one for one in party.trusted}
    for name, one in sorted({**others, card.name: card}.items()):
        _add(archive, f"{CARDS}{name}.json", canonical_json(one.model_dump(mode="json")) + b"\n")
    _add(archive, EVENTS, b"".join(entry.canonical + b"\n" for entry in chosen))
    _add(archive, POSITIONS, "".join(f"{entry.position}\n" for entry in chosen).encode())
    _add(archive, OMITTED, _lines(_omitted(tree, chosen)))
    _add(archive, EARLIER, _lines(_earlier(party.name, tree, chosen)))
    _add(archive, REFUSALS, _lines(asdict(one) for one in party.log.refusals()))


def _omitted(tree: MerkleTree, chosen: list[Entry]) -> Iterator[dict[str, Any]]:
    present = [entry.position - 1 for entry in chosen]
    for (start, end), root in omitted_parts(tree, present):
        yield {"start": start, "end": end, "root": root.hex()}


def _earlier(name: str, tree: MerkleTree, chosen: list[Entry]) -> Iterator[dict[str, Any]]:
    """A proof for every checkpoint that this party gave to others, if it is of this log.

    One from before a backup was restored has none.
    """
    for entry in chosen:
        envelope = entry.envelope
        if envelope.source == name and envelope.type == "CheckpointPosted":
            size = int(str(envelope.data["size"]))
            if size > len(tree) or tree.root(size).hex() != envelope.data["root"]:
                continue
            path = [one.hex() for one in tree.consistency(size)]
            yield {"size": size, "root": envelope.data["root"], "consistency": path}


def _payloads_here(party: Party, chosen: list[Entry]) -> list[str]:
    """Each once, in order: those of our own, and those sealed to us."""
    commitments = {
        reference.commitment
        for entry in chosen
        for reference in entry.envelope.payloads
        if party.payloads.has(reference.commitment)
    }
    return sorted(commitments)


def _sealed_here(party: Party, chosen: list[Entry]) -> list[Path]:
    commitments = {
        reference.commitment for entry in chosen for reference in entry.envelope.payloads
    }
    paths = [sealed_path(party.folder.sealed, one) for one in sorted(commitments)]
    return [path for path in paths if path.is_file()]


def _copy(archive: ZipFile, path: Path, member: str) -> None:
    information = _member(member)
    information.file_size = path.stat().st_size
    large = information.file_size > LARGE
    with path.open("rb") as source, archive.open(information, "w", force_zip64=large) as target:
        while block := source.read(1 << 20):
            target.write(block)


def _lines(documents: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(canonical_json(document) + b"\n" for document in documents)


def _add(archive: ZipFile, name: str, content: bytes) -> None:
    archive.writestr(_member(name), content)


def _member(name: str) -> ZipInfo:
    information = ZipInfo(name, NO_TIME)
    information.create_system = 3  # Unix, wherever it is written
    information.external_attr = PRIVATE_FILE << 16
    return information
