"""The model file of our own training: one party's half of a model (requirement C1)."""

from pydantic import Field

from events.terms import Kind, Profile
from events.vocabulary import Frozen, Role
from learning.binning import VariableBins


class ModelBin(Frozen):
    label: str
    weight: float


class ModelVariable(Frozen):
    """One variable: its bins with their weights, and the rule that cuts a value into them."""

    name: str
    rule: str
    bins: tuple[ModelBin, ...]
    cut: VariableBins


class Model(Frozen):
    """One party's half. Its scores, times `label_unit`, add up with those of the other halves."""

    version: int = 1
    model_id: str
    party: str
    role: Role
    kind: Kind
    profile: Profile
    label_unit: float
    intercept: float | None = Field(description="also what centres the scores; None: no constant")
    variables: tuple[ModelVariable, ...]
