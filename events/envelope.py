"""The envelope: what is signed, stored, carried and audited.

Attribute names follow CloudEvents 1.0 where it has one (id, source, type, specversion, time, data).
The canonical bytes (RFC 8785) are made once, stored, hashed and never serialised again.
"""

import base64
import hashlib
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import Field, JsonValue, StringConstraints, ValidationError

from events.canonical import LARGEST_INTEGER, canonical_json
from events.errors import EnvelopeError, IdentityError, SignatureError
from events.signatures import is_signed
from events.vocabulary import PRIVATE_STREAM, Digest, Frozen, PartyName, StreamName

MAXIMUM_ENVELOPE_BYTES = 64 * 1024

Time = Annotated[
    str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$", max_length=27)
]


class PayloadReference(Frozen):
    """A vector that travels beside the envelope, sealed to its readers.

    `commitment` is SHA-256(salt ‖ plaintext): it binds the issuer to the content and tells an
    onlooker nothing. `readers` are those besides the issuer who may open it.
    """

    commitment: Digest
    kind: str
    name: str
    readers: tuple[PartyName, ...] = ()
    shape: tuple[int, ...]
    size: int = Field(ge=0)


class Envelope(Frozen):
    """One signed fact of one party (requirements D1).

    The fields here and in PayloadReference stand in the order of canonical JSON.
    """

    cause: Digest | None
    data: dict[str, JsonValue]
    id: Digest
    payloads: tuple[PayloadReference, ...] = ()
    previous: Digest | None
    schemaversion: int = Field(ge=1)
    sequence: int = Field(ge=0)
    signature: str = ""
    source: PartyName
    specversion: Literal["1.0"] = "1.0"
    stream: StreamName
    time: Time
    type: str

    @property
    def is_private(self) -> bool:
        return self.stream == PRIVATE_STREAM

    def payload(self, name: str) -> PayloadReference:
        for reference in self.payloads:
            if reference.name == name:
                return reference
        raise EnvelopeError(f"{self.type} of {self.source} carries no payload named {name!r}")

    def signed_bytes(self) -> bytes:
        return self._written_plainly({"signature"}) or canonical_json(
            self.model_dump(mode="json", exclude={"signature"})
        )

    def canonical_bytes(self) -> bytes:
        return self._written_plainly() or canonical_json(self.model_dump(mode="json"))

    def _written_plainly(self, exclude: set[str] | None = None) -> bytes:
        """The canonical bytes as pydantic writes them, many times faster; empty where it may not.

        It writes the fields in their order: the standard's, if that of the data is as well.
        """
        if not (_has_small_numbers(self) and _is_plain(self.data)):
            return b""
        written = self.model_dump_json(exclude=exclude)
        return written.encode() if written.isascii() else b""

    def signed_with(self, key: Ed25519PrivateKey) -> "Envelope":
        signature = base64.b64encode(key.sign(self.signed_bytes())).decode()
        return self.model_copy(update={"signature": signature})


def event_id(source: str, stream: str, sequence: int) -> str:
    """The event's name everywhere: a hash of where it stands."""
    if not (source + stream).replace("-", "").isalnum():  # what is a name needs no escapes
        place = canonical_json(["tallystick", source, stream, sequence])
    else:
        place = f'["tallystick","{source}","{stream}",{sequence}]'.encode()
    return hashlib.sha256(place).hexdigest()


def digest_of(canonical: bytes) -> str:
    """What the next envelope of the stream calls `previous`."""
    return hashlib.sha256(canonical).hexdigest()


def read_envelope(canonical: bytes) -> Envelope:
    """Parse untrusted bytes. Raises EnvelopeError: too large, not an envelope, not canonical."""
    if len(canonical) > MAXIMUM_ENVELOPE_BYTES:
        raise EnvelopeError(
            f"envelope of {len(canonical)} bytes; at most {MAXIMUM_ENVELOPE_BYTES} are accepted"
        )
    try:
        envelope = Envelope.model_validate_json(canonical)
    except ValidationError as error:
        places = ", ".join(sorted({_place(detail) for detail in error.errors()}))
        raise EnvelopeError(f"not an envelope: {places}") from None
    if not _is_canonical(canonical, envelope):
        raise EnvelopeError("envelope is not in canonical form (RFC 8785)")
    if envelope.id != event_id(envelope.source, envelope.stream, envelope.sequence):
        raise IdentityError("the event id is not the hash of its issuer, stream and sequence")
    return envelope


def _is_canonical(canonical: bytes, envelope: Envelope) -> bool:
    try:
        return envelope.canonical_bytes() == canonical
    except ValueError:  # a number that JSON cannot say exactly
        return False


def _has_small_numbers(envelope: Envelope) -> bool:
    """Outside of the data: none that the standard would refuse."""
    numbers = [envelope.sequence, envelope.schemaversion]
    for one in envelope.payloads:
        numbers += (one.size, *one.shape)
    return max(numbers) <= LARGEST_INTEGER and min(numbers) >= -LARGEST_INTEGER


def _is_plain(value: JsonValue) -> bool:
    """Whether names stand in their order, and all numbers are whole and not too large."""
    if isinstance(value, dict):
        return list(value) == sorted(value) and all(map(_is_plain, value.values()))
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, int):
        return -LARGEST_INTEGER <= value <= LARGEST_INTEGER
    return not isinstance(value, float)


def signed_part(canonical: bytes, envelope: Envelope) -> bytes:
    """What was signed, cut out of the canonical bytes: faster than to write it again.

    The last member of this name is the envelope's own: only plain words stand behind it.
    """
    before, _, after = canonical.rpartition(f',"signature":"{envelope.signature}"'.encode())
    return before + after


def verify_signature(
    envelope: Envelope, key: Ed25519PublicKey, signed: bytes | None = None
) -> None:
    """Raise SignatureError unless `key` signed this envelope; `signed` saves writing it again."""
    message = envelope.signed_bytes() if signed is None else signed
    if not is_signed(key, _signature(envelope), message):
        raise SignatureError(
            f"{envelope.type} claims to come from {envelope.source}, but the signature "
            "is not by the key on that party's trusted card"
        )


def _signature(envelope: Envelope) -> bytes:
    """Empty unless it is written as base64 writes it.

    Unused bits of base64 would let anyone make a second envelope with one signature.
    """
    try:
        signature = base64.b64decode(envelope.signature, validate=True)
    except ValueError:
        return b""
    return signature if base64.b64encode(signature).decode() == envelope.signature else b""


def format_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _place(detail: Any) -> str:  # noqa: ANN401 - pydantic's own dictionary
    return ".".join(str(part) for part in detail["loc"]) or "the JSON itself"
