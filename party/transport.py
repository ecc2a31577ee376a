"""What travels beside the signed envelope: headers of chunks, and where a sealed payload is.

None of it is signed. It says how to put the sealed bytes together; what they must hold is said by
the commitment in the envelope. Small sealed payloads travel behind the envelope, in one parcel with
it; larger ones in chunks of their own.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from bus.parcel import MAXIMUM_BODY, Parcel
from events.envelope import Envelope
from party.errors import Reason, RefusalError
from party.sealing import Sealed
from store.entry import Entry
from store.failures import disk_failures

CHUNK_BYTES = MAXIMUM_BODY - 4096  # room for the headers in a message of 1 MiB
MAXIMUM_CHUNKS = 1 << 16
LARGEST_BEHIND = 128 * 1024  # of all payloads behind one envelope
ENVELOPE_BYTES = "envelope-bytes"  # where the first of them begins
BEHIND = 0  # chunks of such a payload
DIGEST = re.compile(r"[0-9a-f]{64}")
ANNOUNCED = re.compile(r"([0-9a-f]{64}) (\d{1,12}) (\d{1,5})")
NUMBERED = re.compile(r"payload-(\d{1,2})")

Headers = Mapping[str, str | int]


@dataclass(frozen=True)
class SealedPayload:
    """A sealed payload on its way: digest and size of the sealed bytes, number of chunks."""

    digest: str
    size: int
    chunks: int

    @classmethod
    def of(cls, sealed: Sealed) -> "SealedPayload":
        return cls(sealed.digest, sealed.size, -(-sealed.size // CHUNK_BYTES))

    @classmethod
    def behind(cls, sealed: Sealed) -> "SealedPayload":
        return cls(sealed.digest, sealed.size, BEHIND)

    def __str__(self) -> str:
        return f"{self.digest} {self.size} {self.chunks}"


@dataclass(frozen=True)
class Arrived:
    """An envelope with its headers, and the sealed payloads that came with it, by digest."""

    canonical: bytes
    headers: Mapping[str, object]
    behind: Mapping[str, bytes]


@dataclass(frozen=True)
class ChunkPlace:
    """Where a chunk belongs: which event, which sealed file, which piece of how many."""

    event: str
    digest: str
    index: int
    count: int


def envelope_headers(envelope: Envelope, payloads: Mapping[str, SealedPayload]) -> Headers:
    """The event's id and, for the payloads that this recipient may open, where they are."""
    headers: dict[str, str | int] = {"event": envelope.id}
    for number, reference in enumerate(envelope.payloads):
        if sealed := payloads.get(reference.name):
            headers[f"payload-{number}"] = str(sealed)
    return headers


def fit_behind(sealed: Iterable[Sealed]) -> bool:
    return sum(file.size for file in sealed) <= LARGEST_BEHIND


def envelope_parcel(
    sender: str, recipient: str, entry: Entry, sealed: Mapping[str, Sealed]
) -> Parcel:
    """The envelope for a recipient who may open these payloads, with them where they fit."""
    envelope, body = entry.envelope, entry.canonical
    if not sealed or not fit_behind(sealed.values()):
        places = {name: SealedPayload.of(file) for name, file in sealed.items()}
        return Parcel(sender, recipient, "envelope", envelope_headers(envelope, places), body)
    places = {name: SealedPayload.behind(file) for name, file in sealed.items()}
    headers = {**envelope_headers(envelope, places), ENVELOPE_BYTES: len(body)}
    for reference in envelope.payloads:
        if file := sealed.get(reference.name):
            with disk_failures("the spool"), file.open() as content:
                body += content.read()
    return Parcel(sender, recipient, "envelope", headers, body)


def take_apart(body: bytes, headers: Mapping[str, object]) -> Arrived:
    """The envelope and what is behind it; bytes that are not there are missed later."""
    size = headers.get(ENVELOPE_BYTES)
    if not isinstance(size, int) or not 0 <= size <= len(body):
        return Arrived(body, headers, {})
    behind, start = {}, size
    for sealed in _behind(headers).values():
        behind[sealed.digest] = body[start : start + sealed.size]
        start += sealed.size
    return Arrived(body[:size], headers, behind)


def in_chunks(headers: Mapping[str, object]) -> dict[str, object]:
    """The headers of an envelope whose payloads have become chunks of their own."""
    placed = {name: str(replace(sealed, chunks=1)) for name, sealed in _behind(headers).items()}
    return {name: headers[name] for name in headers if name != ENVELOPE_BYTES} | placed


def _behind(headers: Mapping[str, object]) -> dict[str, SealedPayload]:
    """By header, in the order of the payloads."""
    numbers = sorted(int(found[1]) for name in headers if (found := NUMBERED.fullmatch(name)))
    announced = {name: _announced(headers.get(name)) for name in map("payload-{}".format, numbers)}
    return {name: one for name, one in announced.items() if one and one.chunks == BEHIND}


def _announced(header: object) -> SealedPayload | None:
    found = ANNOUNCED.fullmatch(str(header or ""))
    return SealedPayload(found[1], int(found[2]), int(found[3])) if found else None


def announced_payloads(
    envelope: Envelope, arrived: Arrived, reader: str
) -> dict[str, SealedPayload]:
    """By name, the sealed form of every payload that `reader` may open.

    Raises RefusalError when one is missing or makes no sense.
    """
    announced = {}
    for number, reference in enumerate(envelope.payloads):
        if reader not in reference.readers:
            continue
        sealed = _announced(arrived.headers.get(f"payload-{number}"))
        here = sealed is not None and sealed.digest in arrived.behind
        if sealed is None or not (1 - here) <= sealed.chunks <= MAXIMUM_CHUNKS:
            raise RefusalError(Reason.NO_TRANSPORT, f"{reference.name} of {envelope.type}")
        announced[reference.name] = sealed
    return announced


def chunk_headers(place: ChunkPlace) -> Headers:
    return {
        "event": place.event,
        "sealed": place.digest,
        "chunk": place.index,
        "chunks": place.count,
    }


def chunk_place(headers: Mapping[str, object]) -> ChunkPlace:
    """Raises RefusalError: headers that place the chunk nowhere."""
    match [headers.get(name) for name in ("event", "sealed", "chunk", "chunks")]:
        case [str(event), str(digest), int(index), int(count)] if (
            DIGEST.fullmatch(event)
            and DIGEST.fullmatch(digest)
            and 0 <= index < count <= MAXIMUM_CHUNKS
        ):
            return ChunkPlace(event, digest, index, count)
    raise RefusalError(Reason.BAD_CHUNK)


def chunk_parcels(sender: str, recipient: str, event: str, sealed: Sealed) -> Iterator[Parcel]:
    """The sealed file in pieces, read one at a time."""
    count = SealedPayload.of(sealed).chunks
    with disk_failures("the spool"), sealed.open() as file:
        for index in range(count):
            headers = chunk_headers(ChunkPlace(event, sealed.digest, index, count))
            yield Parcel(sender, recipient, "chunk", headers, file.read(CHUNK_BYTES))
