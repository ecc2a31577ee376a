"""Who a party is: the signing key, the sealing key and the master secret, in files of its own."""

import base64
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError
from pyrage import IdentityError, x25519

from events.card import PartyCard
from events.card_history import CardHistory
from events.vocabulary import Role
from party.errors import KeyFileError

SECRET_BYTES = 32
SIGNING, SEALING, MASTER = "signing.key", "sealing.key", "master.secret"
RETIRED, CARDS = "retired", "cards.json"

Mark = tuple[int, int]


@dataclass(frozen=True)
class Identity:
    """Long-lived secrets from the system's randomness. Losing them ends the party.

    `retired_sealing` still opens what was sealed before the sender knew of new keys; `history` is
    of the party's own cards, None where they never changed. `mark` tells one key file from another.
    """

    signing: Ed25519PrivateKey = field(repr=False)
    sealing: x25519.Identity = field(repr=False)
    secret: bytes = field(repr=False)
    retired_sealing: tuple[x25519.Identity, ...] = field(default=(), repr=False)
    history: CardHistory | None = None
    mark: Mark | None = None

    @property
    def opens_with(self) -> list[x25519.Identity]:
        """The keys that open what is sealed to this party, the present one first."""
        return [self.sealing, *self.retired_sealing]

    def card(self, name: str, role: Role) -> PartyCard:
        return PartyCard(
            name=name,
            role=role,
            signing_key=public_text(self.signing),
            sealing_key=str(self.sealing.to_public()),
        )


def public_text(key: Ed25519PrivateKey) -> str:
    """As it stands on a card."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def create_keys(folder: Path) -> None:
    """Make the three key files; never over existing ones."""
    create_pair(folder)
    write_secret(folder / MASTER, secrets.token_bytes(SECRET_BYTES))


def create_pair(folder: Path) -> None:
    """The two keys on a party's card."""
    signing = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_secret(folder / SIGNING, signing)
    write_secret(folder / SEALING, f"{x25519.Identity.generate()}\n".encode())


def read_identity(folder: Path) -> Identity:
    """Raises KeyFileError: a file is missing, damaged, or open to other users."""
    mark = mark_of(folder)
    signing = read_signing_key(folder / SIGNING)
    secret = read_secret(folder / MASTER)
    if len(secret) != SECRET_BYTES:
        raise _damaged(folder / MASTER)
    sealing = read_sealing_key(folder / SEALING)
    retired = tuple(map(read_sealing_key, sorted((folder / RETIRED).glob("*.key"))))
    return Identity(signing, sealing, secret, retired, _history(folder / RETIRED / CARDS), mark)


def mark_of(folder: Path) -> Mark | None:
    """Another one when the signing key is: cheap enough to ask at every event."""
    try:
        found = (folder / SIGNING).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def write_secret(path: Path, content: bytes) -> None:
    """On the disk and readable by this user alone from its first byte on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def read_secret(path: Path) -> bytes:
    """The content of a file that only its owner may read."""
    try:
        if path.stat().st_mode & 0o077:
            raise KeyFileError(f"{path} can be read by other users: run `chmod 600 {path}`")
        return path.read_bytes()
    except OSError as error:
        raise KeyFileError(
            f"the key file {path} cannot be read ({error.strerror}): restore it from a backup"
        ) from error


def read_sealing_key(path: Path) -> x25519.Identity:
    try:
        return x25519.Identity.from_str(read_secret(path).decode().strip())
    except (IdentityError, UnicodeDecodeError):
        raise _damaged(path) from None


def _history(path: Path) -> CardHistory | None:
    """Public, and of no use to anybody else."""
    try:
        return CardHistory.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        raise _damaged(path) from None


def read_signing_key(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(read_secret(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _damaged(path) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise _damaged(path)
    return key


def _damaged(path: Path) -> KeyFileError:
    return KeyFileError(f"the key file {path} is damaged: restore it from a backup")
