"""A party's half of a trained model, made from its log (requirement C1)."""

from events.catalogue import Fact
from events.models import ModelSaved
from handlers.drafts import Decision, Draft, Work, blob, draft
from handlers.history import History
from handlers.own import Own
from handlers.prepared import own_prepared
from handlers.scores import final_weights
from learning.fixed_point import from_grid, offsets
from scoring.models.trained import Model, ModelBin, ModelVariable


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


def convert_own(history: History, fact: Fact[ModelSaved], own: Own) -> Decision:
    """The own half becomes a table as soon as it is there, unless that is done by hand (C2)."""
    return [Work("convert", history.job)] if own.converts and fact.source == own.name else []
