"""A statement of heads: how far a party holds each stream of the jobs that it shares with another.

It is signed and travels on the bus, and is no event: nothing follows from it but that what got
lost is sent again. Its canonical JSON is no envelope's, so neither signature stands for the other.
"""

import base64
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import Field, StringConstraints, ValidationError

from events.canonical import canonical_json
from events.vocabulary import Digest, Frozen, PartyName, StreamName
from party.errors import Reason, RefusalError
from party.trust import TrustedCards

LARGEST_STATEMENT = 64 * 1024
MOST_STREAMS = 500  # of one statement; there may be several
MOST_DAMAGED = 32
SESSIONS_REMEMBERED = 16
NOTHING = -1  # the head of a stream of which nothing is here

Session = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Head = Annotated[int, Field(ge=NOTHING, lt=2**53)]
Heads = Mapping[str, int]  # newest sequence by issuer


class HeadsStatement(Frozen):
    """What `source` tells `recipient`, the `number`th time since it was started.

    `held` gives the newest sequence of each issuer's stream by job. `taken` counts the parcels that
    came from the recipient in this session: while it grows, nothing is lost but only slow.
    `heard` is the recipient's session that spoke last: the answer to its question who is there.
    `damaged` are events that arrived with a payload other than it was sent.
    """

    kind: Literal["tallystick heads"] = "tallystick heads"
    source: PartyName
    recipient: PartyName
    session: Session
    number: int = Field(ge=0, lt=2**53)
    taken: int = Field(ge=0, lt=2**53)
    held: dict[StreamName, dict[PartyName, Head]]
    heard: Session | Literal[""] = ""
    damaged: tuple[Digest, ...] = Field(default=(), max_length=MOST_DAMAGED)
    signature: str = Field(default="", max_length=100)

    def signed_bytes(self) -> bytes:
        return canonical_json(self.model_dump(mode="json", exclude={"signature"}))

    def signed_with(self, key: Ed25519PrivateKey) -> "HeadsStatement":
        signature = base64.b64encode(key.sign(self.signed_bytes())).decode()
        return self.model_copy(update={"signature": signature})

    def content(self) -> bytes:
        return canonical_json(self.model_dump(mode="json"))

    def is_signed_by(self, key: Ed25519PublicKey) -> bool:
        try:
            key.verify(base64.b64decode(self.signature, validate=True), self.signed_bytes())
        except (InvalidSignature, ValueError):
            return False
        return True


def read_statement(
    sender: str, recipient: str, content: bytes, trusted: TrustedCards
) -> HeadsStatement:
    """What `sender` really said to this recipient. Raises RefusalError."""
    history = trusted.history(sender)
    if history is None:
        raise RefusalError(Reason.UNKNOWN_ISSUER, sender)
    if len(content) > LARGEST_STATEMENT:
        raise RefusalError(Reason.BAD_HEADS, f"{len(content)} bytes from {sender}")
    try:
        statement = HeadsStatement.model_validate_json(content)
    except ValidationError:
        raise RefusalError(Reason.BAD_HEADS, sender) from None
    if (statement.source, statement.recipient) != (sender, recipient):
        raise RefusalError(Reason.BAD_HEADS, f"{statement.source} through {sender}")
    if not statement.is_signed_by(history.current.verifying_key()):
        old = any(statement.is_signed_by(one.card.verifying_key()) for one in history.retired)
        reason = Reason.RETIRED_KEY if old else Reason.FALSE_SIGNATURE
        raise RefusalError(reason, f"statement of heads of {sender}")
    return statement


@dataclass
class Freshness:
    """Whether a sender's statement is newer than what came before: no old one counts again.

    A start of the sender is a session with numbers of its own; clocks play no part.
    """

    session: str = ""
    number: int = -1
    before: deque[str] = field(default_factory=lambda: deque(maxlen=SESSIONS_REMEMBERED))

    def admits(self, statement: HeadsStatement) -> bool:
        """False for the copy of the newest. Raises RefusalError for an older one."""
        if statement.session != self.session:
            if statement.session in self.before:
                raise RefusalError(Reason.STALE_HEADS, statement.source)
            self.before.append(self.session)
            self.session, self.number = statement.session, -1
        if statement.number < self.number:
            raise RefusalError(Reason.STALE_HEADS, statement.source)
        if statement.number == self.number:
            return False
        self.number = statement.number
        return True


def in_parts(held: Mapping[str, Heads]) -> Iterator[dict[str, Heads]]:
    """In statements that are not too large; one, empty, where there is nothing."""
    part: dict[str, Heads] = {}
    streams = 0
    for job, heads in held.items():
        if part and streams + len(heads) > MOST_STREAMS:
            yield part
            part, streams = {}, 0
        part[job] = heads
        streams += len(heads)
    yield part
