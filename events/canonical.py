"""Canonical JSON (RFC 8785): by Python's own encoder where it writes the same bytes."""

import json
import re

import rfc8785
from pydantic import JsonValue

LARGEST_INTEGER = 2**53 - 1
_ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)
# Numbers that the two may write differently: not whole ones, and those of 16 digits or more. What
# looks like one inside a text is mostly found as well, which costs a closer look; times are not.
_UNLIKE_NUMBER = re.compile(r"[:,\[](?<!\d:)-?\d+(?:[.eE]|(?<=\d{16}))")


def canonical_json(value: JsonValue) -> bytes:
    """The bytes that are signed and hashed. Raises ValueError for what JSON cannot say exactly."""
    written = _ENCODER.encode(value)
    unlike = _UNLIKE_NUMBER.search(f":{written}")
    if written.isascii() and (unlike is None or _is_plain(value)):
        return written.encode()
    return rfc8785.dumps(value)


def _is_plain(value: JsonValue) -> bool:
    """Whether every number in it is one that Python writes as the standard does."""
    match value:
        case bool() | str() | None:
            return True
        case int():
            return -LARGEST_INTEGER <= value <= LARGEST_INTEGER
        case float():
            return 1e-4 <= abs(value) < 1e15 and not value.is_integer()
        case dict():
            return all(map(_is_plain, value.values()))
        case list():
            return all(map(_is_plain, value))
