"""Verify an export file without any of Tallystick's code: `python standalone_verify.py OUT.tally`.

Only the standard library and an Ed25519 implementation (the package cryptography) are used. Cards
that their owners handed over can be named after the file; they must be those in it. What is
checked, in the words of docs/log-format.md: ids, signatures, sequence, chain, causes, times, the
Merkle tree under the party's signed checkpoint, payloads against their commitments.
"""

import base64
import hashlib
import json
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Json = Any
Cards = dict[str, list[tuple[str, Json]]]
FOREVER = "Z"  # sorts behind every time


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def is_signed(key: str, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(base64.b64decode(key)).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def key_at(cards: Cards, name: str, time: str) -> str:
    """The key of a party at a time: of the first card that was not retired before it."""
    return next((card["signing_key"] for until, card in cards.get(name, ()) if time <= until), "")


def is_authentic(line: bytes, event: Json, key: str) -> bool:
    """In canonical JSON the signature stands once at the top, between sequence and source."""
    before, _, after = line.rpartition(b',"signature":"' + event["signature"].encode() + b'"')
    return is_signed(key, base64.b64decode(event["signature"]), before + after)


def hands_over(line: bytes, event: Json) -> bool:
    """A change of keys is signed with the old key, and proven by the new one."""
    said = {name: value for name, value in event["data"].items() if name != "proof"}
    said |= {"kind": "tallystick new keys", "time": event["time"]}
    proven = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
    new, old = said["card"], said["retired"]
    named = {event["source"]} == {new["name"], old["name"]} and new["role"] == old["role"]
    proof = base64.b64decode(event["data"]["proof"])
    is_proven = is_signed(new["signing_key"], proof, proven)
    return named and is_proven and is_authentic(line, event, old["signing_key"])


def follow(lines: Sequence[bytes], told: Sequence[Json]) -> Cards:
    """Every party's cards from one that is known, each with the time up to which it was the one."""
    changes = [(line, json.loads(line)) for line in lines if b'"type":"KeyRotated"' in line]
    changes = [one for one in changes if one[1]["type"] == "KeyRotated" and hands_over(*one)]
    cards = {card["name"]: [(FOREVER, card)] for card in told}
    for _, event in sorted(changes, key=lambda one: one[1]["time"], reverse=True):
        known = cards.get(event["source"], [])
        if known and known[0][1] == event["data"]["card"] and event["time"] < known[0][0]:
            known.insert(0, (event["time"], event["data"]["retired"]))
    for _, event in sorted(changes, key=lambda one: one[1]["time"]):
        known = cards.get(event["source"], [])
        if known and known[-1][1] == event["data"]["retired"]:
            known[-1:] = [(event["time"], known[-1][1]), (FOREVER, event["data"]["card"])]
    return cards


def succeeds(line: bytes, event: Json, cards: Cards) -> bool:
    """Whether the new card is the one that followed."""
    known = [card for _, card in cards.get(event["source"], [])]
    return hands_over(line, event) and event["data"]["card"] in known


def event_faults(
    line: bytes, event: Json, heads: dict[Json, Json], seen: dict[str, Json]
) -> Iterator[str]:
    """How an event stands to those before it: its place, its chain, its cause, its time."""
    place = (event["source"], event["stream"])
    private = event["stream"] == "private"
    job = event["data"].get("job") if private else event["stream"]
    named = json.dumps(["tallystick", *place, event["sequence"]], separators=(",", ":"))
    if event["id"] != sha256(named.encode()).hex():
        yield "the id is not the hash of issuer, stream and sequence"
    sequence, digest, time = heads.get(place, (-1, None, ""))
    if event["sequence"] == sequence + 1:
        if event["previous"] != digest:
            yield "the digest of the event before it is another"
    elif not private or event["sequence"] <= sequence:
        yield f"has number {event['sequence']} in its stream after {sequence}"
    opened = (job, False) in {one[1:] for one in seen.values()} if not event["cause"] else True
    cause = seen.get(event["cause"])
    if cause is None and opened and not private:
        yield "its cause is no earlier event of its job"
    if cause is not None and cause[1] != job:
        yield "its cause is an event of another job"
    if event["time"] < max(time, cause[0] if cause else ""):
        yield "it is dated before what it follows"
    heads[place] = (event["sequence"], sha256(line).hex(), event["time"])
    seen.setdefault(event["id"], (event["time"], job, private))


def tree_root(
    leaves: dict[int, bytes], omitted: dict[tuple[int, int], bytes], start: int, end: int
) -> bytes:
    """RFC 9162: the root over leaves start to end; what is not in the file is given by its root."""
    if (start, end) in omitted:
        return omitted[start, end]
    if end - start == 1:
        return leaves[start]
    middle = start + (1 << (end - start - 1).bit_length() - 1)
    left = tree_root(leaves, omitted, start, middle)
    return sha256(b"\1", left, tree_root(leaves, omitted, middle, end))


def tree_faults(
    archive: zipfile.ZipFile, manifest: Json, leaves: dict[int, bytes], signing_key: str
) -> Iterator[str]:
    """Whether the events stand in the tree whose root the party signed."""
    documents = map(json.loads, archive.read("omitted.jsonl").splitlines())
    omitted = {(one["start"], one["end"]): bytes.fromhex(one["root"]) for one in documents}
    try:
        root = tree_root(leaves, omitted, 0, manifest["size"])
    except (KeyError, RecursionError):
        root = None
    text, _, signatures = archive.read("checkpoint.txt").decode().partition("\n\n")
    origin, size, told = text.split("\n")
    key = base64.b64decode(signing_key)
    name = f"tallystick/{manifest['party']}/{sha256(key).hex()[:16]}"
    signed = base64.b64decode(signatures.split("\n")[0].split(" ")[2])
    if (origin, signed[:4]) != (name, sha256(name.encode(), b"\n\1", key)[:4]):
        yield "the checkpoint names another log or key"
    if not is_signed(signing_key, signed[4:], text.encode() + b"\n"):
        yield "the checkpoint is not signed by the party"
    if root is None or (int(size), base64.b64decode(told)) != (manifest["size"], root):
        yield "the events do not make the tree that the party signed"


def payload_faults(archive: zipfile.ZipFile, references: dict[str, int]) -> Iterator[str]:
    """Every payload in the file is salt and plaintext of something that was committed to."""
    for name in archive.namelist():
        if not name.startswith("payloads/"):
            continue
        digest, size = hashlib.sha256(), -32
        with archive.open(name) as file:
            while block := file.read(1 << 20):
                digest.update(block)
                size += len(block)
        if references.get(digest.hexdigest()) != size or name != f"payloads/{digest.hexdigest()}":
            yield f"{name} is not what was committed to"


def verify(path: str, cards: Sequence[Json] = ()) -> tuple[list[str], int]:
    """Every fault of an export file, as lines of text; none when it holds."""
    faults: list[str] = []
    heads: dict[Json, Json] = {}
    seen: dict[str, Json] = {}
    leaves: dict[int, bytes] = {}
    references: dict[str, int] = {}
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        files = [name for name in archive.namelist() if name.startswith("cards/")]
        told = [json.loads(archive.read(name)) for name in files]
        lines = archive.read("events.jsonl").split(b"\n")[:-1]
        known = follow(lines, told)
        here = [card for history in known.values() for _, card in history]
        unlike = [card["name"] for card in cards if card not in here]
        faults += [f"the file has another key of {name} than the card given" for name in unlike]
        positions = [int(one) for one in archive.read("positions.txt").split()]
        if len(lines) != len(positions) or positions != sorted(set(positions)):
            faults.append("events and positions do not belong together")
        for position, line in zip(positions, lines, strict=False):
            event = json.loads(line)
            leaves[position - 1] = sha256(b"\0", line)
            references |= {one["commitment"]: one["size"] for one in event["payloads"]}
            where = f"position {position}, {event['type']} of {event['source']}"
            if not is_authentic(line, event, key_at(known, event["source"], event["time"])):
                faults.append(f"{where}: the signature is not the issuer's")
            if event["type"] == "KeyRotated" and not succeeds(line, event, known):
                faults.append(f"{where}: the new keys are not those of its issuer")
            found = event_faults(line, event, heads, seen)
            faults += [f"{where}: {fault}" for fault in found]
        signing_key = key_at(known, manifest["party"], FOREVER)
        faults += tree_faults(archive, manifest, leaves, signing_key)
        faults += payload_faults(archive, references)
    return faults, len(lines)


if __name__ == "__main__":
    given = [json.loads(Path(name).read_bytes()) for name in sys.argv[2:]]
    found_faults, count = verify(sys.argv[1], given)
    for found_fault in found_faults:
        sys.stdout.write(f"FAILS  {found_fault}\n")
    sys.stdout.write(f"{count} events: {'does not hold' if found_faults else 'holds'}\n")
    sys.exit(1 if found_faults else 0)
