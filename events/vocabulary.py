"""The words that every event is made of: names, roles, and the frozen model behind all of them."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

PRIVATE_STREAM = "private"

PartyName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
StreamName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Role(StrEnum):
    """Who a party is in a job (requirements, Roles)."""

    LOCAL = "local"
    PARTICIPANT = "participant"
    ARBITER = "arbiter"
    AUDITOR = "auditor"
    INITIATOR = "initiator"
    MART = "mart"


DATA_ROLES = frozenset({Role.LOCAL, Role.PARTICIPANT})
# Who brings a table: the mart has what its members contributed (A1).
TABLE_ROLES = DATA_ROLES | {Role.MART}
# Who may ask for predictions: the local party, or a party that does nothing else (S1).
ASKING_ROLES = frozenset({Role.LOCAL, Role.INITIATOR})


class Frozen(BaseModel):
    """A value: immutable, no unknown fields, no silent conversion between types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
