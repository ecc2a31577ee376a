"""Where fuzzing begins: whole messages of every kind, which the fuzzer then takes apart."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pika import BasicProperties

from events.envelope import Envelope, event_id
from party.heads import HeadsStatement

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
DIGEST = "ab" * 32


def seeds() -> dict[str, list[bytes]]:
    """By target."""
    said = Envelope(
        id=event_id("partner", "job-1", 0),
        type="TrainingFailed",
        schemaversion=2,
        source="partner",
        stream="job-1",
        sequence=0,
        previous=None,
        cause=DIGEST,
        time="2026-01-01T00:00:00.000000Z",
        data={"code": "data", "detail": "-"},
    ).signed_with(KEY)
    heads = HeadsStatement(
        source="partner",
        recipient="bank",
        session="0" * 32,
        number=1,
        taken=2,
        held={"job-1": {"bank": 3, "partner": -1}},
        damaged=(DIGEST,),
    ).signed_with(KEY)
    return {
        "envelope": [said.canonical_bytes(), b"{}", b"[1e999]", b'"\\ud800"'],
        "heads": [heads.content(), heads.content().replace(b"-1", b"-2")],
        "message": [_properties("envelope", _BEHIND), _properties("chunk", _CHUNK), b"\xff" * 40],
    }


_CHUNK = {"event": DIGEST, "sealed": DIGEST, "chunk": 0, "chunks": 1}
_BEHIND = {"event": DIGEST, "envelope-bytes": 2, "payload-0": f"{DIGEST} 5 0"}


def _properties(kind: str, headers: dict[str, object]) -> bytes:
    properties = BasicProperties(type=kind, headers=headers, app_id="tallystick")
    return b"".join(properties.encode())
