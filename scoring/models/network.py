"""Multilayer perceptrons (requirement C4)."""

from typing import Literal, Self

from pydantic import Field, model_validator

from events.vocabulary import Frozen
from scoring.models.document import (
    ModelDocument,
    Number,
    NumberInput,
    check_combination,
    check_repeats,
)

Activation = Literal["identity", "relu", "tanh", "logistic"]


class Layer(Frozen):
    """`weights` has a row an input and a column a unit; `biases` a number a unit."""

    weights: tuple[tuple[Number, ...], ...]
    biases: tuple[Number, ...] = Field(min_length=1)
    activation: Activation


class NetworkModel(ModelDocument):
    """Scores are the last layer's sums, before any sigmoid or softmax (S3)."""

    kind: Literal["network"]
    features: tuple[NumberInput, ...]
    layers: tuple[Layer, ...]

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        check_repeats(self.inputs)
        check_combination(self.combination, self.outputs)
        inputs = len(self.features)
        for number, layer in enumerate(self.layers):
            units = len(layer.biases)
            if len(layer.weights) != inputs or {len(row) for row in layer.weights} - {units}:
                raise ValueError(f"the weights of layer {number} do not fit the one below")
            inputs = units
        if self.layers and (inputs != self.outputs or self.layers[-1].activation != "identity"):
            raise ValueError("the last layer is not that of the outputs")
        return self

    @property
    def inputs(self) -> tuple[str, ...]:
        """The features that it reads, by name."""
        return tuple(feature.name for feature in self.features)

    @property
    def text_inputs(self) -> frozenset[str]:
        """None of them is text."""
        return frozenset()
