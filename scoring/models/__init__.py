"""Models as documents, one class a kind; each half reads its own party's columns (C4)."""

from typing import Annotated

from pydantic import Field, TypeAdapter

from scoring.models.linear import LinearModel
from scoring.models.network import NetworkModel
from scoring.models.trees import TreeModel

ScoringModel = LinearModel | TreeModel | NetworkModel
SCORING_MODEL: TypeAdapter[ScoringModel] = TypeAdapter(
    Annotated[ScoringModel, Field(discriminator="kind")]
)

__all__ = ["SCORING_MODEL", "LinearModel", "NetworkModel", "ScoringModel", "TreeModel"]
