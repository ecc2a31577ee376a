"""What travels beside the signed envelope: headers of chunks, and where a sealed payload is.

None of it is signed. It says how to put the sealed bytes together; what they must hold is said by
the commitment in the envelope.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bus.parcel import MAXIMUM_BODY, Parcel
from events.envelope import Envelope
from party.errors import Reason, RefusalError
from party.sealing import SealedFile
from store.failures import disk_failures

CHUNK_BYTES = MAXIMUM_BODY - 4096  # room for the headers in a message of 1 MiB
MAXIMUM_CHUNKS = 1 << 16
DIGEST = re.compile(r"[0-9a-f]{64}")
ANNOUNCED = re.compile(r"([0-9a-f]{64}) (\d{1,12}) (\d{1,5})")

Headers = Mapping[str, str | int]


@dataclass(frozen=True)
class SealedPayload:
    """A sealed payload on its way: digest and size of the sealed bytes, number of chunks."""

    digest: str
    size: int
    chunks: int

    @classmethod
    def of(cls, sealed: SealedFile) -> "SealedPayload":
        return cls(sealed.digest, sealed.size, -(-sealed.size // CHUNK_BYTES))


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
            headers[f"payload-{number}"] = f"{sealed.digest} {sealed.size} {sealed.chunks}"
    return headers


def announced_payloads(
    envelope: Envelope, headers: Mapping[str, object], reader: str
) -> dict[str, SealedPayload]:
    """By name, the sealed form of every payload that `reader` may open.

    Raises RefusalError when one is missing or makes no sense.
    """
    announced = {}
    for number, reference in enumerate(envelope.payloads):
        if reader not in reference.readers:
            continue
        found = ANNOUNCED.fullmatch(str(headers.get(f"payload-{number}", "")))
        if not found or not 1 <= int(found[3]) <= MAXIMUM_CHUNKS:
            raise RefusalError(Reason.NO_TRANSPORT, f"{reference.name} of {envelope.type}")
        announced[reference.name] = SealedPayload(found[1], int(found[2]), int(found[3]))
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


def chunk_parcels(sender: str, recipient: str, event: str, sealed: SealedFile) -> Iterator[Parcel]:
    """The sealed file in pieces, read one at a time."""
    count = SealedPayload.of(sealed).chunks
    with disk_failures(sealed.path), sealed.path.open("rb") as file:
        for index in range(count):
            headers = chunk_headers(ChunkPlace(event, sealed.digest, index, count))
            yield Parcel(sender, recipient, "chunk", headers, file.read(CHUNK_BYTES))
