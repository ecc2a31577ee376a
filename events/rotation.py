"""A party changes its keys, and says so to each party that trusts it in a stream of their own.

The known key signs the event, so that those who trust it may trust the new one; the new key signs
what is said, so that nobody claims a key that is not theirs, and who knows only the new card can
find the old one. Up to the time of the event the old key is that of the party, later the new one:
that holds in every log and in every part of one, whatever arrived in which order.
"""

import base64
import hashlib
from datetime import timedelta
from typing import ClassVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import Field, model_validator

from events.canonical import canonical_json
from events.card import PartyCard
from events.errors import EventError
from events.opening import Ending, Opening
from events.signatures import is_signed
from events.terms import Agreement, check_names_differ
from events.vocabulary import PartyName, Role
from events.witness import Signature

PROOF_KIND = "tallystick new keys"


class RotationTerms(Agreement):
    """Between the party whose keys change and one that trusts it; alone, for its own log."""

    issuer: PartyName

    @model_validator(mode="after")
    def _one_tells_at_most_one_other(self) -> "RotationTerms":
        check_names_differ(self.members)
        if not 1 <= len(self.members) <= 2 or self.role_of(self.issuer) is None:
            raise ValueError("a change of keys is told by its party to one other at a time")
        return self

    @property
    def asker(self) -> str:
        return self.issuer

    @property
    def patience(self) -> timedelta:
        """Nobody has to answer."""
        return timedelta(0)


class KeyRotated(Opening):
    """From the time of this event on its issuer signs with other keys, and has payloads sealed so.

    It is signed with the key on the card that it retires. `said` is how many events of its own the
    issuer had addressed to the other member before: with the old key nothing can be added to them.
    `proof` is by the new key (Ed25519), over all of this and the time.
    """

    ISSUERS: ClassVar = frozenset(Role)
    terms: RotationTerms
    retired: PartyCard
    card: PartyCard
    said: int = Field(ge=0)
    proof: Signature

    def ended(self, code: str, detail: str) -> Ending:
        """Never: the one event is all there is."""
        raise EventError(f"nothing ends a change of keys: {code}: {detail}")

    def proven_bytes(self, time: str) -> bytes:
        """What the new key signs; never the bytes of an envelope, a note or a statement."""
        said = self.model_dump(mode="json", exclude={"proof"})
        return canonical_json({**said, "kind": PROOF_KIND, "time": time})

    def is_proven(self, time: str) -> bool:
        """Whether the holder of the new key says so too."""
        signature = base64.b64decode(self.proof)
        return is_signed(self.card.verifying_key(), signature, self.proven_bytes(time))


def new_keys(
    terms: RotationTerms,
    retired: PartyCard,
    card: PartyCard,
    said: int,
    key: Ed25519PrivateKey,
    time: str,
) -> KeyRotated:
    """The event of this time, with the proof by the new key."""
    nothing = base64.b64encode(bytes(64)).decode()
    event = KeyRotated(terms=terms, retired=retired, card=card, said=said, proof=nothing)
    proof = base64.b64encode(key.sign(event.proven_bytes(time))).decode()
    return event.model_copy(update={"proof": proof})


def rotation_stream(retired: PartyCard, other: str) -> str:
    """The stream in which one party is told that this card is retired; there is no second one."""
    key = hashlib.sha256(base64.b64decode(retired.signing_key)).hexdigest()
    return f"keys-{key[:16]}-{other}"
