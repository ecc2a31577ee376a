"""Identifiers as group elements: known vectors, what is refused, what commutes (A2)."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.ristretto import (
    POINT_BYTES,
    TAG_BYTES,
    PointError,
    blind,
    blind_again,
    draw_exponent,
)
from paillier.generator import DeterministicGenerator

IDS = st.lists(st.text(max_size=20), unique=True, max_size=8)
SECRETS = st.binary(min_size=16, max_size=16)
ONE = b"\1" + bytes(31)

# RFC 9496, appendices A.2 and A.3.
HASHED = "3066f82a1a747d45120d1740f14358531a8f04bbffe6a819f86dfe50f44a0a46"
REFUSED = {
    "the identity": "00" * 32,
    "a number above the field": "00" + "ff" * 31,
    "the field's own size": "ed" + "ff" * 30 + "7f",
    "a negative number": "01" + "00" * 31,
    "no square": "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
}


def exponent(secret: bytes) -> bytes:
    return draw_exponent(DeterministicGenerator(secret))


def test_the_library_maps_hashes_to_the_group_as_the_standard_says() -> None:
    from rbcl import crypto_core_ristretto255_from_hash as from_hash

    digest = hashlib.sha512(b"Ristretto is traditionally a short shot of espresso coffee").digest()
    assert from_hash(digest).hex() == HASHED


@given(IDS, SECRETS, SECRETS)
@settings(max_examples=25)
def test_it_does_not_matter_who_blinds_first(ids: list[str], one: bytes, other: bytes) -> None:
    first, second = exponent(one), exponent(other)
    assert blind_again(blind(ids, "job", first, 1), second, 1) == blind_again(
        blind(ids, "job", second, 1), first, 1
    )


@given(IDS, SECRETS)
@settings(max_examples=25)
def test_different_identifiers_have_different_points(ids: list[str], secret: bytes) -> None:
    points = blind(ids, "job", exponent(secret), 1)
    assert len({points[k : k + POINT_BYTES] for k in range(0, len(points), POINT_BYTES)}) == len(
        ids
    )


def test_the_same_identifier_has_another_point_in_another_job() -> None:
    power = exponent(bytes(16))
    assert blind(["15400000001"], "spring", power, 1) != blind(["15400000001"], "summer", power, 1)


def test_the_number_of_threads_changes_nothing() -> None:
    ids, power = [str(number) for number in range(300)], exponent(bytes(16))
    points = blind(ids, "job", power, 1)
    assert blind(ids, "job", power, 3) == points
    assert blind_again(points, power, 3) == blind_again(points, power, 1)
    assert len(blind_again(points, power, 1)) == TAG_BYTES * len(ids)


@pytest.mark.parametrize("encoding", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_element_is_refused(encoding: str) -> None:
    good = blind(["15400000001"], "job", exponent(bytes(16)), 1)
    with pytest.raises(PointError, match="number 2"):
        blind_again(good + bytes.fromhex(encoding), exponent(bytes(16)), 1)


def test_half_an_element_is_refused() -> None:
    with pytest.raises(PointError, match="number 1"):
        blind_again(bytes(16), ONE, 1)
