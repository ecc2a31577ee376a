"""The life of a model at one party: its versions, which one serves, and whether it may (C2, C4)."""

from dataclasses import dataclass

from events.models import ConsentRevoked, ModelActivated, ModelConverted, ModelRetired
from handlers.history import History


@dataclass(frozen=True)
class ModelLife:
    """`active` is the version that answers requests; None: not converted, or retired.

    The first version serves as soon as it is there, a later one when it is activated. `last` is
    the one that is active, or was before the model was retired; `before`, the one before that.
    """

    versions: tuple[ModelConverted, ...]
    active: int | None
    last: int | None
    before: int | None
    is_retired: bool
    withdrawn_by: tuple[str, ...]

    def version(self, number: int) -> ModelConverted | None:
        return next((one for one in self.versions if one.version == number), None)


def model_life(history: History) -> ModelLife:
    """What the log says of a model, from the history of its id."""
    versions = tuple(fact.event for fact in history.of(ModelConverted))
    activated = history.of(ModelActivated)
    retired = history.of(ModelRetired)
    last_sequence = activated[-1].envelope.sequence if activated else -1
    is_retired = bool(retired) and retired[-1].envelope.sequence > last_sequence
    newest = activated[-1].event if activated else None
    first = versions[0].version if versions else None
    last = newest.version if newest else first
    return ModelLife(
        versions=versions,
        active=None if is_retired else last,
        last=last,
        before=newest.instead_of if newest else None,
        is_retired=is_retired,
        withdrawn_by=tuple(fact.source for fact in history.of(ConsentRevoked)),
    )
