"""What a model file does not say itself: whose model it is, and what its columns are called."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from events.vocabulary import Role
from scoring.errors import ModelFileError
from scoring.files.faults import faults
from scoring.models import ScoringModel

Document = TypeVar("Document", bound=ScoringModel)


@dataclass(frozen=True)
class Source:
    """`feature_names` are the columns in the order of training, for files that don't name them."""

    model_id: str
    digest: str
    role: Role = Role.LOCAL
    feature_names: tuple[str, ...] | None = None

    def names(self, in_file: Sequence[str] | None, count: int) -> tuple[str, ...]:
        """The columns' names. Raises ModelFileError where nobody has said them."""
        names = self.feature_names or tuple(in_file or ())
        if not names:
            raise ModelFileError(
                "the features of the model are not named in its file: train it on named columns "
                "(a data frame), or give the names, in the order of training"
            )
        if len(names) != count:
            raise ModelFileError(f"{len(names)} names are given to the model's {count} features")
        return names

    def document(self, make: Callable[..., Document], **fields: Any) -> Document:  # noqa: ANN401
        """The model document of these fields. Raises ModelFileError."""
        head = {"model_id": self.model_id, "digest": self.digest, "role": self.role}
        try:
            return make(**head, **fields)
        except ValidationError as error:
            raise ModelFileError(
                f"the file is no model that can be scored; {faults(error)}"
            ) from None


def check_columns(model: ScoringModel, columns: Collection[str]) -> None:
    """A model reads only columns that the party has. Raises ModelFileError, naming the others."""
    if missing := sorted(set(model.inputs) - set(columns)):
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise ModelFileError(
            f"the model reads columns that are not here: {', '.join(missing[:5])}{more}; "
            "each party converts a model of its own columns only"
        )
