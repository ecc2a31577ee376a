"""What reads bytes from outside: functions of any bytes, that raise only their own errors."""

import struct
from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pika import BasicProperties
from pika.exceptions import AMQPError
from pyrage import x25519

from bus.errors import ParcelError
from bus.message import attempts_of, parcel_from
from events.card import PartyCard
from events.catalogue import CATALOGUE
from events.envelope import read_envelope
from events.errors import EventError
from events.vocabulary import Role
from party.errors import RefusalError
from party.heads import read_statement
from party.transport import announced_payloads, chunk_place, take_apart
from party.trust import TrustedCards

Target = Callable[[bytes], None]
PIKAS_OWN = (
    AMQPError,
    struct.error,
    IndexError,
    KeyError,
    OSError,
    OverflowError,
    TypeError,
    UnicodeDecodeError,
    ValueError,
)


def envelope(content: bytes) -> None:
    """The signed JSON, its canonical form, and the body by the catalogue."""
    try:
        CATALOGUE.read(read_envelope(content))
    except EventError:
        return


def heads(content: bytes) -> None:
    try:
        read_statement("partner", "bank", content, _trusted())
    except RefusalError:
        return


def message(content: bytes) -> None:
    """An AMQP message: the property frame as it comes off the wire, then the body.

    What pika itself cannot read ends the connection there; everything that it can read is ours.
    """
    properties = BasicProperties()
    try:
        properties.decode(content)
    except PIKAS_OWN:
        return
    for route in ("partner.bank", content[:40].decode("latin-1")):
        try:
            parcel = parcel_from(route, properties, content)
            attempts_of(properties, redelivered=False)
        except ParcelError:
            continue
        headers(parcel.headers, parcel.body)


def headers(named: Mapping[str, object], body: bytes) -> None:
    """What travels beside an envelope or a chunk, and what is cut out by it."""
    arrived = take_apart(body, named)
    assert sum(map(len, arrived.behind.values())) <= len(body) * max(1, len(arrived.behind))
    for read in (
        lambda: chunk_place(named),
        lambda: announced_payloads(read_envelope(arrived.canonical), arrived, "bank"),
    ):
        try:
            read()
        except (RefusalError, EventError):
            continue


@cache
def _trusted() -> TrustedCards:
    folder = Path(mkdtemp(prefix="tallystick-fuzz-"))
    (folder / "partner.json").write_text(_card().model_dump_json())
    return TrustedCards(folder)


def _card() -> PartyCard:
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key().public_bytes_raw()
    return PartyCard(
        name="partner",
        role=Role.PARTICIPANT,
        signing_key=b64encode(key).decode(),
        sealing_key=str(x25519.Identity.generate().to_public()),
    )


TARGETS: Mapping[str, Target] = {"envelope": envelope, "heads": heads, "message": message}
