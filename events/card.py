"""A party's card: the public keys by which others know it. Exchanged by hand, before anything."""

import base64
import hashlib
from typing import Annotated

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import StringConstraints

from events.vocabulary import Frozen, PartyName, Role

Ed25519Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{43}=$")]
AgeRecipient = Annotated[str, StringConstraints(pattern=r"^age1[0-9a-z]{58}$")]


class PartyCard(Frozen):
    """Name, role, signing key (Ed25519, base64) and sealing key (age recipient, X25519)."""

    name: PartyName
    role: Role
    signing_key: Ed25519Key
    sealing_key: AgeRecipient

    @property
    def fingerprint(self) -> str:
        """What two people compare over the telephone."""
        digest = hashlib.sha256(rfc8785.dumps(self.model_dump(mode="json"))).hexdigest()
        return " ".join(digest[start : start + 4] for start in range(0, 32, 4))

    def verifying_key(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(self.signing_key))
