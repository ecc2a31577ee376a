"""Reading an export file. Nothing in it is believed because it stands there."""

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, TypeVar, cast
from zipfile import BadZipFile, ZipFile

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from audit.errors import ExportError
from audit.export import (
    CARDS,
    CHECKPOINT,
    EARLIER,
    EVENTS,
    MANIFEST,
    OMITTED,
    POSITIONS,
    REFUSALS,
    SEALED,
    VERSION,
)
from audit.log_copy import EarlierTree, LogCopy, Scope, TreeEvidence
from audit.payload_files import ZipPayloads
from events.card import PartyCard
from events.checkpoint import SignedCheckpoint, read_checkpoint
from events.errors import CheckpointError
from events.vocabulary import Digest, Frozen, PartyName, StreamName
from store.entry import Entry, Refusal

LARGEST_DOCUMENT = 1 << 20
# What zipfile raises over damaged bytes. Their texts quote the bytes, which may be data.
DAMAGES = (
    BadZipFile,
    EOFError,
    KeyError,
    OSError,
    RuntimeError,
    ValueError,
    struct.error,
    zlib.error,
)
Document = TypeVar("Document", bound=BaseModel)
Count = Annotated[int, Field(ge=0)]


class Manifest(Frozen):
    """What the file says of itself."""

    format: Literal["tallystick-log"]
    version: int
    party: PartyName
    job: StreamName | None
    private: bool
    payloads: bool
    events: Count
    size: Count
    root: Digest


class _Omitted(Frozen):
    start: Count
    end: Count
    root: Digest


class _Earlier(Frozen):
    size: Count
    root: Digest
    consistency: tuple[Digest, ...]


class _Refusal(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    sender: str
    reason: str
    type: str
    count: int
    first_time: str
    last_time: str


def open_export(path: Path) -> LogCopy:
    """Raises ExportError: damaged, of another version, or not an export file."""
    try:
        archive = ZipFile(path)
    except DAMAGES:
        raise _damaged(path) from None
    try:
        return _read(path, archive)
    except ValidationError as error:
        archive.close()
        places = sorted({".".join(map(str, one["loc"])) for one in error.errors()})
        raise ExportError(f"{path} does not follow the format at: {', '.join(places)}") from None
    except DAMAGES:
        archive.close()
        raise _damaged(path) from None
    except ExportError:
        archive.close()
        raise


def _damaged(path: Path) -> ExportError:
    return ExportError(f"{path} is damaged or cut short: ask its sender for it again")


def _read(path: Path, archive: ZipFile) -> LogCopy:
    manifest = Manifest.model_validate_json(_content(archive, MANIFEST))
    if manifest.version != VERSION:
        raise ExportError(f"{path} has version {manifest.version}: use the release that made it")
    names = frozenset(archive.namelist())
    cards = {}
    for name in sorted(name for name in names if name.startswith(CARDS)):
        card = PartyCard.model_validate_json(_content(archive, name))
        cards[card.name] = card
    positions = [int(line) for line in archive.read(POSITIONS).split()]
    if len(positions) != manifest.events:
        raise ExportError(f"{path} says it has {manifest.events} events, and has other positions")
    evidence = TreeEvidence(
        checkpoint=_checkpoint(archive, cards.get(manifest.party)),
        size=manifest.size,
        root=bytes.fromhex(manifest.root),
        omitted={
            (one.start, one.end): bytes.fromhex(one.root)
            for one in _documents(archive, OMITTED, _Omitted)
        },
        earlier=tuple(
            EarlierTree(
                one.size, bytes.fromhex(one.root), tuple(map(bytes.fromhex, one.consistency))
            )
            for one in _documents(archive, EARLIER, _Earlier)
        ),
    )
    return LogCopy(
        place=str(path),
        party=manifest.party,
        cards=cards,
        own_cards=True,
        head=manifest.size,
        scope=Scope(manifest.job, manifest.private),
        entries=lambda: _entries(path, archive, positions),
        payloads=ZipPayloads(path, archive, names),
        sealed=ZipPayloads(path, archive, names, SEALED),
        refusals=tuple(
            Refusal(**one.model_dump()) for one in _documents(archive, REFUSALS, _Refusal)
        ),
        evidence=evidence,
        close=archive.close,
    )


def _entries(path: Path, archive: ZipFile, positions: list[int]) -> Iterator[Entry]:
    lines = _lines(path, archive)
    read = 0
    for position, line in zip(positions, lines, strict=False):
        read += 1
        yield Entry(position, line.removesuffix(b"\n"))
    if read != len(positions) or next(lines, None) is not None:
        raise ExportError(f"{path} has other events than its manifest says")


def _lines(path: Path, archive: ZipFile) -> Iterator[bytes]:
    """Apart from `_entries`, as its caller's errors are not those of the file."""
    try:
        with archive.open(EVENTS) as member:
            yield from io.BufferedReader(cast("io.RawIOBase", member))
    except DAMAGES:
        raise _damaged(path) from None


def _checkpoint(archive: ZipFile, card: PartyCard | None) -> SignedCheckpoint | None:
    """None when it is not the party's own word; the check of the tree says so."""
    if card is None:
        return None
    try:
        return read_checkpoint(_content(archive, CHECKPOINT).decode(), card)
    except CheckpointError:
        return None


def _content(archive: ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > LARGEST_DOCUMENT:
        raise ExportError(f"{name} is larger than it can be")
    return archive.read(name)


def _documents(archive: ZipFile, name: str, kind: type[Document]) -> Iterator[Document]:
    for line in archive.read(name).splitlines():
        yield kind.model_validate_json(line)
