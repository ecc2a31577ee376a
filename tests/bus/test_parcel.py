"""What a parcel may be, whatever carries it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import Parcel, check_party_name
from bus.errors import ParcelError
from bus.message import parcel_from, properties_of, routing_key
from bus.parcel import MAXIMUM_BODY, Kind

names = st.from_regex(r"[a-z][a-z0-9-]{0,31}", fullmatch=True)
header_names = names.filter(lambda name: not name.startswith("x-"))
header_values = st.one_of(st.text(max_size=100), st.integers(-(2**63), 2**63 - 1))


@given(
    sender=names,
    recipient=names,
    kind=st.sampled_from(["envelope", "chunk"]),
    headers=st.dictionaries(header_names, header_values, max_size=8),
    body=st.binary(max_size=1000),
)
def test_a_parcel_survives_as_a_message(
    sender: str, recipient: str, kind: Kind, headers: dict[str, str | int], body: bytes
) -> None:
    parcel = Parcel(sender, recipient, kind, headers, body)
    properties = properties_of(parcel, "login")
    properties.headers["x-delivery-count"] = 3  # a broker's own

    assert parcel_from(routing_key(parcel), properties, parcel.body) == parcel


@pytest.mark.parametrize("name", ["bank", "a", "partner-2", "z" * 32])
def test_party_names(name: str) -> None:
    check_party_name(name)


@pytest.mark.parametrize("name", ["", "Bank", "2nd", "a.b", "a_b", "bank\n", "*", "#", "z" * 33])
def test_names_that_no_party_has(name: str) -> None:
    with pytest.raises(ParcelError, match="party name"):
        check_party_name(name)


@pytest.mark.parametrize("name", ["Job", "x-death", "", "a b", "n" * 65])
def test_header_names_are_small_and_not_the_brokers(name: str) -> None:
    with pytest.raises(ParcelError, match="header name"):
        Parcel("bank", "partner", "envelope", {name: 1}, b"")


@pytest.mark.parametrize("value", [True, 2**63, 1.5, None, b"bytes", "t" * 1025])
def test_header_values_are_short_text_or_integers(value: object) -> None:
    with pytest.raises(ParcelError, match="header 'n'"):
        Parcel("bank", "partner", "envelope", {"n": value}, b"")  # type: ignore[dict-item]


def test_headers_are_few_and_bodies_at_most_a_mebibyte() -> None:
    with pytest.raises(ParcelError, match="at most 32 headers"):
        Parcel("bank", "partner", "envelope", {f"n{each}": each for each in range(33)}, b"")
    with pytest.raises(ParcelError, match="at most 1048576 bytes"):
        Parcel("bank", "partner", "chunk", {}, bytes(MAXIMUM_BODY + 1))


def test_a_parcel_cannot_change_after_it_was_made() -> None:
    headers: dict[str, str | int] = {"n": 1}
    parcel = Parcel("bank", "partner", "envelope", headers, b"")
    headers["n"] = 2

    assert parcel.headers == {"n": 1}
    with pytest.raises(TypeError):
        parcel.headers["n"] = 3  # type: ignore[index]
