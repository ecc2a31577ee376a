"""Keys, data and alignment: everything before the first round (requirements P, A, T3)."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from events.event import Event, PayloadRule, kept, payload_rules, sealed_to
from events.vocabulary import DATA_ROLES, TABLE_ROLES, Digest, Role

# At most a key of 8,192 bits, squared.
Hexadecimal = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{1,4096}$")]


class DataSnapshotted(Event):
    """A party's own rows, frozen as they were read (requirements P1 to P4); private."""

    VERSION: ClassVar = 2
    PRIVATE: ClassVar = True
    ISSUERS: ClassVar = TABLE_ROLES
    PAYLOADS: ClassVar = payload_rules(
        table=kept("table", "ids, columns and labels, exactly as training reads them"),
        notes=kept("json", "how columns were read, for the party's own people"),
    )
    job: str
    customers: int = Field(ge=1)


class KeyPairGenerated(Event):
    """The arbiter made a Paillier key pair (T3); the private half is in its key store."""

    PRIVATE: ClassVar = True
    ISSUERS: ClassVar = frozenset({Role.ARBITER})
    job: str
    key_id: str
    modulus: str
    obfuscator_base: str


class PublicKeyIssued(Event):
    """The arbiter's public key: n, and hs = h^n mod n^2 of Damgård, Jurik and Nielsen (T3).

    Both in hexadecimal.
    """

    ISSUERS: ClassVar = frozenset({Role.ARBITER})
    key_id: Digest
    modulus: Hexadecimal
    obfuscator_base: Hexadecimal


class IdentifiersPosted(Event):
    """Keyed hashes of a party's customers, sorted, for another to match (A1, A2).

    A participant's for the local party; the local party's for the mart.
    """

    VERSION: ClassVar = 2
    ISSUERS: ClassVar = DATA_ROLES
    PAYLOADS: ClassVar = payload_rules(
        handles=PayloadRule(
            "handles",
            frozenset({Role.LOCAL, Role.MART}),
            "keyed hashes, sorted, 16 bytes each, for the one that matches",
        )
    )
    customers: int = Field(ge=1)


class LabelsShared(Event):
    """Labels of the training rows for local pre-training, without their meaning (T2; patent)."""

    ISSUERS: ClassVar = frozenset({Role.LOCAL})
    PAYLOADS: ClassVar = payload_rules(
        labels=sealed_to(Role.PARTICIPANT, "float64", "labels in the common order of rows")
    )
    rows: int = Field(ge=1)


class RowsAligned(Event):
    """The customers that every data party has, in one order for all (A3)."""

    ISSUERS: ClassVar = frozenset({Role.LOCAL})
    PAYLOADS: ClassVar = payload_rules(
        handles=sealed_to(Role.PARTICIPANT, "handles", "the common rows, in order"),
        held_out=sealed_to(Role.PARTICIPANT, "uint8", "1 where a row is held out of training"),
    )
    rows: int = Field(ge=1)
    training_rows: int = Field(ge=1)
    held_out_rows: int = Field(ge=0)


class DataPrepared(Event):
    """The party's bins, learned on the training rows, and every common row's bin codes (P5)."""

    PRIVATE: ClassVar = True
    ISSUERS: ClassVar = DATA_ROLES
    PAYLOADS: ClassVar = payload_rules(
        bins=kept("json", "the rule and edges of every variable"),
        codes=kept("uint8", "bin codes, one row of the matrix per variable"),
        start=kept("int64", "the parameters before the first round, on the grid; intercept last"),
        notes=kept("json", "what became of every variable, for the party's own people"),
    )
    job: str
    variables: int = Field(ge=1)
    columns: int = Field(ge=1)


class FeaturesPrepared(Event):
    """How many variables and bin columns a party trains: what it learns a round (leak budget)."""

    ISSUERS: ClassVar = DATA_ROLES
    variables: int = Field(ge=1)
    columns: int = Field(ge=1)
