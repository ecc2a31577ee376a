"""What every model document says, whatever its kind (requirements C2, C4, S3)."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from events.vocabulary import Digest, Frozen, Role, StreamName

Combination = Literal["sigmoid", "softmax", "sum"]
# -0.0 is 0.0: not every engine keeps the sign.
Number = Annotated[float, AfterValidator(lambda value: value + 0.0)]
DataRole = Literal[Role.LOCAL, Role.PARTICIPANT]


class ModelDocument(Frozen):
    """One party's half of a model: it reads this party's columns only.

    A half yields `outputs` raw scores a customer; those of all halves are summed and only then
    go through the `combination`. A single probability or value has one output, several classes
    have one each.
    """

    model_id: StreamName
    role: DataRole = Role.LOCAL
    digest: Digest = Field(description="SHA-256 of the file that the model was read from")
    combination: Combination
    outputs: int = Field(ge=1, le=1000)


class NumberInput(Frozen):
    """A numeric column: (value - centre) / scale, a missing one first replaced by `fill`."""

    name: str
    fill: Number | None = None
    centre: Number = 0.0
    scale: Number = Field(default=1.0, description="not 0")


def check_combination(combination: Combination, outputs: int) -> None:
    if (combination == "softmax") != (outputs > 1) and combination != "sum":
        raise ValueError(f"{combination} of {outputs} outputs")


def check_repeats(names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        raise ValueError("an input is named twice")
