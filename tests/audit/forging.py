"""The tools of a forger: exports that are altered from outside, or made to fit from inside.

An outsider has the file and no key. An insider is a party with its own signing key, who makes
everything in its own log fit again: numbers, chain, signatures, tree, checkpoint.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from zipfile import ZipFile

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.export import EVENTS, MANIFEST, POSITIONS, export_log
from events.canonical import canonical_json
from events.envelope import digest_of, event_id
from party.opening import Party
from store.entry import Entry
from store.log import Log

Entries = list[Entry]


class ForgedLog:
    """A log that says what it is told to, for an export that its owner signs."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = list(entries)

    def head(self) -> int:
        return len(self._entries)

    def read(self, after: int = 0, limit: int = 1000) -> Entries:
        return self._entries[after : after + limit]

    def refusals(self) -> list[Any]:
        return []


def log_of(party: Party) -> Entries:
    return party.log.read(limit=10_000)


def place_of(entries: Entries, source: str, kind: str, number: int = 0) -> int:
    """Where the events of this type stand, counted from 0."""
    places = [
        place
        for place, entry in enumerate(entries)
        if (entry.envelope.source, entry.envelope.type) == (source, kind)
    ]
    return places[number]


def honest(party: Party, folder: Path, *, payloads: bool = False) -> str:
    path = folder / f"{party.name}.tally"
    export_log(party, path, payloads=payloads)
    return str(path)


def insider(party: Party, entries: Entries, folder: Path) -> str:
    """An export in which the party has made everything fit again that it can sign."""
    numbered = [Entry(number, one.canonical) for number, one in enumerate(entries, start=1)]
    chained = rechained(numbered, party.name, party.identity.signing)
    forger = replace(party, log=cast("Log", ForgedLog(chained)))
    path = folder / f"{party.name}-forged.tally"
    export_log(forger, path)
    return str(path)


def rechained(entries: Entries, source: str, key: Ed25519PrivateKey) -> Entries:
    """Numbers, chain and signatures of one issuer's events made right again."""
    heads: dict[str, tuple[int, str | None]] = {}
    made = []
    for entry in entries:
        envelope = entry.envelope
        if envelope.source != source:
            made.append(entry)
            continue
        number, digest = heads.get(envelope.stream, (-1, None))
        changed = envelope.model_copy(
            update={
                "sequence": number + 1,
                "previous": digest,
                "id": event_id(source, envelope.stream, number + 1),
            }
        ).signed_with(key)
        canonical = changed.canonical_bytes()
        heads[envelope.stream] = (number + 1, digest_of(canonical))
        made.append(Entry(entry.position, canonical))
    return made


def outsider(original: str, folder: Path, **members: bytes | None) -> str:
    """The same file with some members replaced, or left out; the manifest counts along."""
    path = folder / "forged.tally"
    with ZipFile(original) as source, ZipFile(path, "w") as target:
        for item in source.infolist():
            content = members.get(item.filename, source.read(item))
            if content is not None:
                target.writestr(item, content)
    return str(path)


def with_lines(original: str, folder: Path, entries: Entries) -> str:
    """The events of a file replaced, everything else as it was."""
    with ZipFile(original) as archive:
        manifest = json.loads(archive.read(MANIFEST))
    manifest["events"] = len(entries)
    return outsider(
        original,
        folder,
        **{
            MANIFEST: canonical_json(manifest) + b"\n",
            EVENTS: b"".join(one.canonical + b"\n" for one in entries),
            POSITIONS: b"".join(b"%d\n" % one.position for one in entries),
        },
    )


def altered(entry: Entry, **fields: Any) -> Entry:
    return Entry(entry.position, entry.envelope.model_copy(update=fields).canonical_bytes())


def with_data(entry: Entry, **data: Any) -> Entry:
    return altered(entry, data={**entry.envelope.data, **data})
