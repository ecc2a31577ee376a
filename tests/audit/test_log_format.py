"""docs/log-format.md: its test vectors are what the code makes, and an outsider can check them."""

import base64
import hashlib
import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.audit.vectors import as_text

PAGE = (Path(__file__).parents[2] / "docs" / "log-format.md").read_text()


def test_the_vectors_on_the_page_are_those_of_the_code() -> None:
    assert f"```json\n{as_text()}\n```" in PAGE


def test_the_vectors_follow_the_description() -> None:
    """Only what the page says is used here."""
    given = json.loads(PAGE.split("```json\n")[1].split("\n```")[0])
    lines = [text.encode() for text in given["events"]]
    for line, digest, leaf in zip(lines, given["digests"], given["leaf_hashes"], strict=True):
        event = json.loads(line)
        place = ["tallystick", event["source"], event["stream"], event["sequence"]]
        named = json.dumps(place, separators=(",", ":")).encode()
        assert event["id"] == hashlib.sha256(named).hexdigest()
        signed, _, rest = line.rpartition(f',"signature":"{event["signature"]}"'.encode())
        key = base64.b64decode(given["signing_keys"][event["source"]])
        signature = base64.b64decode(event["signature"])
        Ed25519PublicKey.from_public_bytes(key).verify(signature, signed + rest)
        assert digest == hashlib.sha256(line).hexdigest()
        assert leaf == hashlib.sha256(b"\0" + line).hexdigest()
    assert json.loads(lines[2])["previous"] == given["digests"][1]
    first, second, third = map(bytes.fromhex, given["leaf_hashes"])
    pair = hashlib.sha256(b"\1" + first + second).digest()
    root = hashlib.sha256(b"\1" + pair + third).hexdigest()
    assert given["roots"] == [hashlib.sha256().hexdigest(), first.hex(), pair.hex(), root]
    assert given["inclusion_of_leaf_1"] == [first.hex(), third.hex()]
    assert given["consistency_1_to_3"] == [second.hex(), third.hex()]
    assert given["checkpoint"].startswith(f"{given['origin']}\n3\n")
