"""Features that were extracted ahead of time (requirements S4, S6)."""

from typing import ClassVar, Literal

from pydantic import Field

from events.event import Event
from events.vocabulary import DATA_ROLES, Digest, Frozen, StreamName

MOST_INDICES = 50


class VariableStability(Frozen):
    """How far a variable's customers of today are from those a model was trained on."""

    model_id: StreamName
    variable: str = Field(max_length=200)
    index: float = Field(ge=0)


class FeaturesRefreshed(Event):
    """What was extracted anew, by counts and a digest; no sample is named.

    `stability` has the largest population stability indices, `unstable` counts those above 0.25.
    """

    PRIVATE: ClassVar = True
    ISSUERS: ClassVar = DATA_ROLES
    kind: str = Field(max_length=64)
    origin: Literal["refresh", "stream"]
    rows: int = Field(ge=0)
    samples: int | None = Field(default=None, ge=0)
    digest: Digest
    observed_until: str | None = Field(default=None, max_length=40)
    unstable: int = Field(default=0, ge=0)
    stability: tuple[VariableStability, ...] = Field(default=(), max_length=MOST_INDICES)
