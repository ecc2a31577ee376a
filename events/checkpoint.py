"""A party's signed word on its whole log: so many events, under this root.

In the formats of C2SP that other tools read: a tlog-checkpoint as a signed note, signed with the
party's own signing key (Ed25519, signature type 1). The text of a note never looks like canonical
JSON, so a signature of one is never a signature of the other.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from events.card import PartyCard
from events.errors import CheckpointError
from events.merkle import HASH_BYTES
from events.signatures import is_signed

ED25519 = b"\1"
KEY_ID_BYTES = 4
SIGNATURE_BYTES = 64
LARGEST_NOTE = 1 << 16


@dataclass(frozen=True)
class Checkpoint:
    """The log of `origin` had `size` events, and this was its root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed: three lines."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True)
class SignedCheckpoint:
    checkpoint: Checkpoint
    signature: bytes

    @property
    def size(self) -> int:
        return self.checkpoint.size

    @property
    def root(self) -> bytes:
        return self.checkpoint.root

    def note(self, card: PartyCard) -> str:
        """The signed note, as a file for other tools."""
        signed = base64.b64encode(key_id(card) + self.signature).decode()
        return f"{self.checkpoint.text}\n— {self.checkpoint.origin} {signed}\n"

    def is_signed_by(self, card: PartyCard) -> bool:
        """Whether this party said this about its own log."""
        if self.checkpoint.origin != origin(card):
            return False
        return is_signed(card.verifying_key(), self.signature, self.checkpoint.text.encode())


def origin(card: PartyCard) -> str:
    """The log's name in checkpoints, and the name of its key: the party and its key's digest."""
    key = hashlib.sha256(base64.b64decode(card.signing_key)).hexdigest()
    return f"tallystick/{card.name}/{key[:16]}"


def key_id(card: PartyCard) -> bytes:
    """By which a note's signature names the key (C2SP signed-note)."""
    content = origin(card).encode() + b"\n" + ED25519 + base64.b64decode(card.signing_key)
    return hashlib.sha256(content).digest()[:KEY_ID_BYTES]


def verifier_key(card: PartyCard) -> str:
    """The public key as tools for signed notes take it: `name+id+key`."""
    key = base64.b64encode(ED25519 + base64.b64decode(card.signing_key)).decode()
    return f"{origin(card)}+{key_id(card).hex()}+{key}"


def sign_checkpoint(
    card: PartyCard, key: Ed25519PrivateKey, size: int, root: bytes
) -> SignedCheckpoint:
    """Ed25519 is deterministic: the same log gives the same note."""
    checkpoint = Checkpoint(origin(card), size, root)
    return SignedCheckpoint(checkpoint, key.sign(checkpoint.text.encode()))


def read_checkpoint(note: str, card: PartyCard) -> SignedCheckpoint:
    """A signed note of this party's log. Signatures of others (witnesses) may stand below it.

    Raises CheckpointError: not a note, of another log, or not signed with the card's key.
    """
    text, _, below = note.partition("\n\n")
    lines = text.split("\n")
    if len(note) > LARGEST_NOTE or len(lines) < 3 or not lines[1].isdecimal():
        raise CheckpointError("this is no checkpoint: a signed note of origin, size and root")
    checkpoint = Checkpoint(lines[0], int(lines[1]), _decoded(lines[2]))
    if checkpoint.text != f"{text}\n" or len(checkpoint.root) != HASH_BYTES:
        raise CheckpointError("the checkpoint is not in its one form (C2SP tlog-checkpoint)")
    if checkpoint.origin != origin(card):
        raise CheckpointError(f"the checkpoint is of {checkpoint.origin}, not of {origin(card)}")
    for line in below.split("\n"):
        mark, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        signed = _decoded(encoded) if (mark, name) == ("—", checkpoint.origin) else b""
        found = SignedCheckpoint(checkpoint, signed[KEY_ID_BYTES:])
        if signed[:KEY_ID_BYTES] == key_id(card) and found.is_signed_by(card):
            return found
    raise CheckpointError(f"the checkpoint is not signed with the key of {card.name}")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise CheckpointError("the checkpoint holds no base64 where it should") from None
