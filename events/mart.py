"""The federated data mart (requirement A1): it matches hashed ids and delivers their features."""

from typing import ClassVar

from pydantic import Field

from events.event import Event, payload_rules, sealed_to
from events.vocabulary import Role

MOST_COLUMNS = 3000


class FeaturesDelivered(Event):
    """Some columns of the matched customers' features, in the common order of rows (A1).

    Columns have numbers, no names: nobody is told what they mean.
    """

    ISSUERS: ClassVar = frozenset({Role.MART})
    PAYLOADS: ClassVar = payload_rules(
        features=sealed_to(Role.PARTICIPANT, "float64", "columns by rows; NaN where missing")
    )
    delivery: int = Field(ge=1)
    rows: int = Field(ge=1)
    columns: int = Field(ge=1, le=MOST_COLUMNS)
    all_columns: int = Field(ge=1, le=MOST_COLUMNS)


class IdentifiersMatched(Event):
    """Which of its identifiers the local party has in common with the mart, in order (A1, A3)."""

    ISSUERS: ClassVar = frozenset({Role.MART})
    PAYLOADS: ClassVar = payload_rules(
        positions=sealed_to(Role.LOCAL, "int64", "places in the local party's posting, in order")
    )
    rows: int = Field(ge=1)
