"""A party's half of a trained model, as a document (requirement C1)."""

from pydantic import Field

from events.models import ModelSaved
from events.terms import Kind, Profile
from events.vocabulary import Frozen, Role
from handlers.drafts import Draft, blob, draft
from handlers.history import History
from handlers.own import Own
from handlers.prepared import own_prepared
from handlers.scores import final_weights
from learning.binning import VariableBins
from learning.fixed_point import from_grid, offsets


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


def own_model(history: History, own: Own) -> Model:
    terms, prepared = history.terms, own_prepared(history, own)
    final = final_weights(history, own)
    weights = from_grid(prepared.layout.expand(final[:-1])).tolist()
    role = terms.role_of(own.name)
    assert role is not None, "a model belongs to a member"  # noqa: S101
    variables = tuple(
        ModelVariable(
            name=cut.name,
            rule=str(cut.rule),
            bins=tuple(
                ModelBin(label=label, weight=weight)
                for label, weight in zip(cut.labels, weights[start:], strict=False)
            ),
            cut=cut,
        )
        for cut, start in zip(prepared.variables, offsets(prepared.bins), strict=False)
    )
    return Model(
        model_id=history.job,
        party=own.name,
        role=role,
        kind=terms.kind,
        profile=terms.profile,
        label_unit=terms.label_unit,
        intercept=float(from_grid(final[-1])),
        variables=variables,
    )


def save_model(history: History, own: Own) -> Draft:
    model = own_model(history, own)
    saved = ModelSaved(columns=own_prepared(history, own).columns)
    content = model.model_dump_json(indent=1).encode()
    return draft(saved, history.job, history.terms, blob("model", content))
