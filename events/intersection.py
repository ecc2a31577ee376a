"""Private set intersection between the local party and each participant (requirements A2, A3).

Diffie and Hellman on ristretto255 (RFC 9496): H(id)^a and H(id)^b say nothing, H(id)^ab is the
same whoever begins. A set travels in batches of a size that all members know.
"""

from typing import ClassVar

from pydantic import Field

from events.event import Event, PayloadRule, kept, only_to, payload_rules, sealed_to
from events.vocabulary import DATA_ROLES, Frozen, PartyName, Role


class IntersectionsCounted(Event):
    """How many sets this requester had compared here in the last day: the policy's quota."""

    PRIVATE: ClassVar = True
    ISSUERS: ClassVar = frozenset({Role.PARTICIPANT, Role.MART})
    job: str
    requester: PartyName
    within_a_day: int = Field(ge=0)


class BlindedIdentifiersPosted(Event):
    """H(id)^a of one batch of a party's customers, in an order drawn at random (A2).

    The local party's whole set is posted before a participant posts anything of its own.
    """

    ISSUERS: ClassVar = DATA_ROLES
    PAYLOADS: ClassVar = payload_rules(
        points=PayloadRule("points", DATA_ROLES, "ristretto255, 32 bytes each, for the other side")
    )
    batch: int = Field(ge=1)


class DoublyBlindedIdentifiersReturned(Event):
    """H(id)^ab of one batch of the local party's customers, in the order of its posting (A2)."""

    ISSUERS: ClassVar = frozenset({Role.PARTICIPANT})
    PAYLOADS: ClassVar = payload_rules(
        tags=sealed_to(Role.LOCAL, "handles", "digests of the points, 16 bytes each")
    )
    batch: int = Field(ge=1)


class PeerIdentifiersBlinded(Event):
    """H(id)^ba of one batch of a participant's customers; the local party's own, never sent."""

    PRIVATE: ClassVar = True
    ISSUERS: ClassVar = frozenset({Role.LOCAL})
    PAYLOADS: ClassVar = payload_rules(
        tags=kept("handles", "digests of the points, 16 bytes each, in the order of the posting")
    )
    job: str
    owner: PartyName
    batch: int = Field(ge=1)


class Overlap(Frozen):
    """Customers of the local party that one participant has as well."""

    party: PartyName
    customers: int = Field(ge=0)


class IntersectionComputed(Event):
    """Which of its rows the local party has in common with all, and how many with each (A3)."""

    PRIVATE: ClassVar = True
    ISSUERS: ClassVar = frozenset({Role.LOCAL})
    PAYLOADS: ClassVar = payload_rules(
        rows=kept("int64", "rows of the own table, in the common order")
    )
    job: str
    rows: int = Field(ge=1)
    overlaps: tuple[Overlap, ...]


class RowsMatched(Event):
    """Which of the identifiers that a participant posted are common to all (A2, A3)."""

    ISSUERS: ClassVar = frozenset({Role.LOCAL})
    PAYLOADS: ClassVar = payload_rules(
        positions=PayloadRule(
            "int64",
            frozenset({Role.PARTICIPANT}),
            "places in the owner's posting, in common order",
        )
    )
    owner: PartyName
    rows: int = Field(ge=1)

    def rules(self) -> dict[str, PayloadRule]:
        return {name: only_to(rule, self.owner) for name, rule in self.PAYLOADS.items()}
