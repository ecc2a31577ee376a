"""Weighted sums: logistic, linear and softmax regression (requirements T1, C4)."""

from itertools import pairwise
from math import isfinite
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from events.vocabulary import Frozen
from learning.binning import Rule, VariableBins
from scoring.models.document import (
    Combination,
    ModelDocument,
    Number,
    NumberInput,
    check_combination,
    check_repeats,
)


class NumberTerm(Frozen):
    """A numeric input and its weight in each output."""

    form: Literal["number"] = "number"
    input: NumberInput
    weights: tuple[Number, ...]

    @property
    def name(self) -> str:
        return self.input.name

    @property
    def is_text(self) -> bool:
        return False

    def weights_of(self, output: int) -> tuple[Number, ...]:
        return (self.weights[output],)


class BinnedTerm(Frozen):
    """A variable cut as in training, and the weights of its bins in each output."""

    form: Literal["binned"] = "binned"
    cut: VariableBins
    weights: tuple[tuple[Number, ...], ...]

    @property
    def name(self) -> str:
        return self.cut.name

    @property
    def is_text(self) -> bool:
        return self.cut.rule is Rule.CATEGORY

    def weights_of(self, output: int) -> tuple[Number, ...]:
        return self.weights[output]

    @model_validator(mode="after")
    def _cuts_into_its_bins(self) -> Self:
        cut = self.cut
        if {len(weights) for weights in self.weights} - {cut.bins}:
            raise ValueError(f"{cut.name} needs a weight for every bin")
        if cut.rule is Rule.CATEGORY:
            fits = cut.bins - cut.first_bin - len(cut.categories) in {0, 1}
            fits = fits and 0 <= cut.other_bin < cut.bins
        else:
            ascending = all(low < high for low, high in pairwise(cut.edges))
            fits = ascending and cut.bins == cut.first_bin + len(cut.edges) + 1
            fits = fits and all(map(isfinite, cut.edges))
        if not fits:
            raise ValueError(f"the bins of {cut.name} do not fit its edges or categories")
        return self


Term = Annotated[NumberTerm | BinnedTerm, Field(discriminator="form")]

COMBINATIONS: dict[str, Combination] = {
    "logistic": "sigmoid",
    "linear": "sum",
    "softmax": "softmax",
}


class LinearModel(ModelDocument):
    """`intercepts` has one number an output; None: this party's half has no constant (T10)."""

    kind: Literal["logistic", "linear", "softmax"]
    intercepts: tuple[Number, ...] | None
    terms: tuple[Term, ...]

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        check_repeats(self.inputs)
        check_combination(self.combination, self.outputs)
        if self.combination != COMBINATIONS[self.kind]:
            raise ValueError(f"a {self.kind} model combines by {COMBINATIONS[self.kind]}")
        if self.intercepts is not None and len(self.intercepts) != self.outputs:
            raise ValueError("an intercept is needed for every output")
        for term in self.terms:
            if len(term.weights) != self.outputs:
                raise ValueError(f"{term.name} needs weights for every output")
        return self

    @property
    def inputs(self) -> tuple[str, ...]:
        """The features that it reads, by name."""
        return tuple(term.name for term in self.terms)

    @property
    def text_inputs(self) -> frozenset[str]:
        """Those of them that are text."""
        return frozenset(term.name for term in self.terms if term.is_text)

    def weights_of(self, output: int) -> tuple[Number, ...]:
        """All weights of an output in a row: of each term, and of each of its bins."""
        return tuple(weight for term in self.terms for weight in term.weights_of(output))
