"""Canonical JSON (RFC 8785): by Python's own encoder where it writes the same bytes."""

import json

import rfc8785
from pydantic import JsonValue

LARGEST_INTEGER = 2**53 - 1
_ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)


def canonical_json(value: JsonValue) -> bytes:
    """The bytes that are signed and hashed. Raises ValueError for what JSON cannot say exactly."""
    if _is_plain(value):
        return _ENCODER.encode(value).encode()
    return rfc8785.dumps(value)


def _is_plain(value: JsonValue) -> bool:
    """Whether Python writes it as the standard does: ASCII, and numbers that look alike in both."""
    match value:
        case str():
            return value.isascii()
        case bool() | None:
            return True
        case int():
            return -LARGEST_INTEGER <= value <= LARGEST_INTEGER
        case float():
            return 1e-4 <= abs(value) < 1e15 and not value.is_integer()
        case dict():
            return all(map(str.isascii, value)) and all(map(_is_plain, value.values()))
        case list():
            return all(map(_is_plain, value))
