"""Who a party is: the signing key, the sealing key and the master secret, in files of its own."""

import base64
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pyrage import IdentityError, x25519

from events.card import PartyCard
from events.vocabulary import Role
from party.errors import KeyFileError

SECRET_BYTES = 32
SIGNING, SEALING, MASTER = "signing.key", "sealing.key", "master.secret"


@dataclass(frozen=True)
class Identity:
    """Long-lived secrets, made once from the system's randomness. Losing them ends the party."""

    signing: Ed25519PrivateKey = field(repr=False)
    sealing: x25519.Identity = field(repr=False)
    secret: bytes = field(repr=False)

    def card(self, name: str, role: Role) -> PartyCard:
        public = self.signing.public_key().public_bytes_raw()
        return PartyCard(
            name=name,
            role=role,
            signing_key=base64.b64encode(public).decode(),
            sealing_key=str(self.sealing.to_public()),
        )


def create_keys(folder: Path) -> None:
    """Make the three key files; never over existing ones."""
    signing = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_secret(folder / SIGNING, signing)
    write_secret(folder / SEALING, f"{x25519.Identity.generate()}\n".encode())
    write_secret(folder / MASTER, secrets.token_bytes(SECRET_BYTES))


def read_identity(folder: Path) -> Identity:
    """Raises KeyFileError: a file is missing, damaged, or open to other users."""
    signing = _signing_key(folder / SIGNING)
    secret = read_secret(folder / MASTER)
    if len(secret) != SECRET_BYTES:
        raise _damaged(folder / MASTER)
    try:
        sealing = x25519.Identity.from_str(read_secret(folder / SEALING).decode().strip())
    except (IdentityError, UnicodeDecodeError):
        raise _damaged(folder / SEALING) from None
    return Identity(signing, sealing, secret)


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


def _signing_key(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(read_secret(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _damaged(path) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise _damaged(path)
    return key


def _damaged(path: Path) -> KeyFileError:
    return KeyFileError(f"the key file {path} is damaged: restore it from a backup")
