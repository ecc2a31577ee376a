"""Reading the model file of our own training (requirements C1, C2)."""

import hashlib

from pydantic import ValidationError

from scoring.errors import ModelFileError
from scoring.files.faults import faults
from scoring.models import LinearModel
from scoring.models.linear import COMBINATIONS, BinnedTerm
from scoring.models.trained import Model, ModelVariable


def read_trained(content: bytes, model_id: str | None = None) -> LinearModel:
    """The half in a file that training wrote. Raises ModelFileError."""
    try:
        model = Model.model_validate_json(content)
    except ValidationError as error:
        raise ModelFileError(f"not a model file of our training; {faults(error)}") from None
    return trained_half(model, hashlib.sha256(content).hexdigest(), model_id)


def trained_half(model: Model, digest: str, model_id: str | None = None) -> LinearModel:
    """Weights and intercept in units of the label: scores of the halves add up as they are."""
    unit = model.label_unit
    try:
        return LinearModel.model_validate(
            {
                "model_id": model_id or model.model_id,
                "role": model.role,
                "digest": digest,
                "kind": model.kind,
                "combination": COMBINATIONS[model.kind],
                "outputs": 1,
                "intercepts": None if model.intercept is None else (model.intercept * unit,),
                "terms": tuple(_term(variable, unit) for variable in model.variables),
            }
        )
    except ValidationError as error:
        raise ModelFileError(f"the model of {model.party} is no half; {faults(error)}") from None


def _term(variable: ModelVariable, unit: float) -> BinnedTerm:
    weights = tuple(one.weight * unit for one in variable.bins)
    return BinnedTerm(cut=variable.cut, weights=(weights,))
