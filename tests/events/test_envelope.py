"""The envelope: canonical, identified by its place, signed (requirements D1; RFC 8785)."""

import hashlib
import json
from contextlib import suppress
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from events.envelope import (
    MAXIMUM_ENVELOPE_BYTES,
    Envelope,
    event_id,
    read_envelope,
    verify_signature,
)
from events.errors import EnvelopeError, IdentityError, SignatureError
from events.rounds import RoundCompleted
from tests.envelopes import Issuer


def an_envelope() -> Envelope:
    return Issuer("arbiter").says(RoundCompleted(round=3))


def test_an_envelope_survives_its_canonical_bytes() -> None:
    envelope = an_envelope()
    assert read_envelope(envelope.canonical_bytes()) == envelope


@given(
    st.text("abcdefghij-0123456789", min_size=1, max_size=20).map(lambda text: "a" + text),
    st.integers(0, 2**53 - 1),
    st.dictionaries(st.text(max_size=8), st.integers(-(2**53) + 1, 2**53 - 1), max_size=5),
)
def test_any_envelope_survives_its_canonical_bytes(
    source: str, sequence: int, data: dict[str, int]
) -> None:
    envelope = an_envelope().model_copy(
        update={
            "id": event_id(source, "job-1", sequence),
            "source": source,
            "sequence": sequence,
            "data": data,
        }
    )
    assert read_envelope(envelope.canonical_bytes()) == envelope


def test_the_signature_is_the_issuers() -> None:
    envelope = an_envelope()
    verify_signature(envelope, Issuer("arbiter").key.public_key())
    with pytest.raises(SignatureError, match="trusted card"):
        verify_signature(envelope, Ed25519PrivateKey.generate().public_key())


@pytest.mark.parametrize(
    "change",
    [{"time": "2026-01-01T00:00:00.000001Z"}, {"data": {"round": 4}}, {"signature": "x"}],
)
def test_an_altered_envelope_does_not_carry_the_signature(change: dict[str, object]) -> None:
    altered = an_envelope().model_copy(update=change)
    with pytest.raises(SignatureError):
        verify_signature(altered, Issuer("arbiter").key.public_key())


def test_a_signature_has_one_text_only() -> None:
    """Unused bits of base64 must not give a second envelope with the same signature."""
    envelope = an_envelope()
    body, last = envelope.signature[:-3], envelope.signature[-3]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    twin = alphabet[alphabet.index(last) ^ 1]
    altered = envelope.model_copy(update={"signature": f"{body}{twin}=="})
    with pytest.raises(SignatureError):
        verify_signature(altered, Issuer("arbiter").key.public_key())


def test_an_id_that_is_not_the_place_of_the_event_is_refused() -> None:
    moved = an_envelope().model_copy(update={"sequence": 7})
    with pytest.raises(IdentityError):
        read_envelope(moved.canonical_bytes())


def test_bytes_that_are_not_canonical_are_refused() -> None:
    spaced = json.dumps(json.loads(an_envelope().canonical_bytes()), indent=1).encode()
    with pytest.raises(EnvelopeError, match="canonical"):
        read_envelope(spaced)


TEXTS: st.SearchStrategy[Any] = st.text(max_size=6) | st.sampled_from(
    ['":1.5', "[2e5", "12:00:00.5", "1.0", "2026-01-01T00:00:01.000000Z", "\x7f", "\u2028"]
)
NUMBERS: st.SearchStrategy[Any] = (
    st.integers(-(2**60), 2**60) | st.floats(allow_nan=True) | st.sampled_from([-0.0, 1e15, 1e21])
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=4), st.sampled_from(["", " "]), st.booleans())
def test_only_the_standards_own_bytes_are_canonical(
    data: dict[str, Any], space: str, escaped: bool
) -> None:
    """Whatever numbers, texts and order of names: the quick look says what the standard says."""
    fields = json.loads(an_envelope().canonical_bytes())
    fields["data"] = data
    written = json.dumps(fields, separators=(",", f":{space}"), ensure_ascii=escaped)
    in_order = json.dumps(fields, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    candidates = [written, in_order]
    with suppress(ValueError):  # what the standard cannot say
        candidates.append(rfc8785.dumps(fields).decode())
    for text in candidates:
        try:
            as_told = rfc8785.dumps(json.loads(text)).decode()
        except ValueError:
            as_told = ""
        if text == as_told:
            read_envelope(text.encode())
        else:
            with pytest.raises(EnvelopeError):
                read_envelope(text.encode())


@pytest.mark.parametrize("number", ["1152921504606846976", "1e400", "NaN", "-0", "1.0", "10e2"])
def test_a_number_that_the_standard_does_not_write_is_refused(number: str) -> None:
    canonical = an_envelope().canonical_bytes().replace(b'"round":3', f'"round":{number}'.encode())
    with pytest.raises(EnvelopeError):
        read_envelope(canonical)


def test_an_envelope_above_the_limit_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(EnvelopeError, match=str(MAXIMUM_ENVELOPE_BYTES)):
        read_envelope(b" " * (MAXIMUM_ENVELOPE_BYTES + 1))


@given(st.binary(max_size=300))
def test_garbage_gives_one_clear_error(garbage: bytes) -> None:
    with pytest.raises(EnvelopeError):
        read_envelope(garbage)


@given(st.data())
def test_a_flipped_byte_never_passes_reading_and_signature(data: st.DataObject) -> None:
    canonical = bytearray(an_envelope().canonical_bytes())
    position = data.draw(st.integers(0, len(canonical) - 1))
    canonical[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(EnvelopeError):
        verify_signature(read_envelope(bytes(canonical)), Issuer("arbiter").key.public_key())


def test_an_unknown_field_is_refused() -> None:
    fields = json.loads(an_envelope().canonical_bytes()) | {"extra": 1}
    with pytest.raises(EnvelopeError, match="extra"):
        read_envelope(json.dumps(fields, separators=(",", ":"), sort_keys=True).encode())


@pytest.mark.parametrize("source", ["bank", "partner-1", 'a"b', "é", ""])
def test_an_event_id_is_the_hash_of_its_place_in_canonical_form(source: str) -> None:
    place = rfc8785.dumps(["tallystick", source, "job-1", 7])
    assert event_id(source, "job-1", 7) == hashlib.sha256(place).hexdigest()
