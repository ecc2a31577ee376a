"""Columns as a source delivers them, before anything is decided about them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt


class ColumnKind(StrEnum):
    """Dates are days since 1970-01-01; a missing number or date is NaN, a missing text None."""

    NUMBER = "number"
    DATE = "date"
    TEXT = "text"


@dataclass(frozen=True)
class RawColumn:
    kind: ColumnKind
    values: npt.NDArray[np.float64] | npt.NDArray[np.object_]


@dataclass(frozen=True)
class Choice:
    """Which columns are wanted as what."""

    id: str
    label: str | None
    features: tuple[str, ...]

    @property
    def measured(self) -> tuple[str, ...]:
        """Everything but the ids."""
        return self.features if self.label is None else (self.label, *self.features)


@dataclass(frozen=True)
class RawTable:
    """`ids` are texts exactly as written, None where missing."""

    choice: Choice
    ids: Sequence[str | None]
    columns: Mapping[str, RawColumn]


Choose = Callable[[Sequence[str]], Choice]
