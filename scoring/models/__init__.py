"""Models as documents, one class a kind; each half reads its own party's columns (C4)."""

from pydantic import TypeAdapter

from scoring.models.linear import LinearModel

ScoringModel = LinearModel
SCORING_MODEL: TypeAdapter[ScoringModel] = TypeAdapter(ScoringModel)

__all__ = ["SCORING_MODEL", "LinearModel", "ScoringModel"]
