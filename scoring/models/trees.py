"""Decision trees, alone or as a boosted or averaged ensemble (requirement C4)."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from events.vocabulary import Frozen
from scoring.models.document import (
    ModelDocument,
    Number,
    NumberInput,
    check_combination,
    check_repeats,
)


class CategoryInput(Frozen):
    """A column of categories, texts or numbers, which splits name as they are."""

    form: Literal["category"] = "category"
    name: str
    is_text: bool


class OrderedInput(NumberInput):
    """A numeric column that splits compare."""

    form: Literal["number"] = "number"

    @property
    def is_text(self) -> bool:
        return False


class Leaf(Frozen):
    """Its values: one an output, or one alone in a tree that serves one output."""

    form: Literal["leaf"] = "leaf"
    values: tuple[Number, ...]


class Split(Frozen):
    """A row goes left if its input compares with `threshold`, or is one of `categories`.

    A missing value goes where `missing` says, and so does a zero where `zero_is_missing`.
    """

    form: Literal["split"] = "split"
    input: int = Field(ge=0, description="position among the model's inputs")
    threshold: Number | None = None
    categories: tuple[str, ...] | tuple[Number, ...] = ()
    missing: Literal["left", "right"]
    zero_is_missing: bool = False
    left: int
    right: int


Node = Annotated[Leaf | Split, Field(discriminator="form")]
TreeInput = Annotated[OrderedInput | CategoryInput, Field(discriminator="form")]


class Tree(Frozen):
    """Nodes from the root, parents before children; `output` None: leaves serve all outputs."""

    output: int | None
    nodes: tuple[Node, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_a_tree(self) -> Self:
        reached = [0]
        for place, node in enumerate(self.nodes):
            if isinstance(node, Split):
                reached += [node.left, node.right]
                if min(node.left, node.right) <= place:
                    raise ValueError(f"node {place} leads back")
        if sorted(reached) != list(range(len(self.nodes))):
            raise ValueError("its nodes are no tree")
        return self


class TreeModel(ModelDocument):
    """The score of an output is base + sum of its trees / divisor, through the link.

    Trees compare by `<` or `<=`, the input rounded to `precision` bits first. Trees that vote
    with chances (forests) have a link: "logit" or "log" of the mean, so that scores of halves
    can be summed (S3).
    """

    kind: Literal["trees"]
    comparison: Literal["<", "<="]
    precision: Literal[32, 64]
    features: tuple[TreeInput, ...]
    base: tuple[Number, ...]
    divisor: float = Field(default=1.0, gt=0)
    link: Literal["none", "logit", "log"] = "none"
    trees: tuple[Tree, ...]

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        check_repeats(self.inputs)
        check_combination(self.combination, self.outputs)
        if len(self.base) != self.outputs:
            raise ValueError("a base is needed for every output")
        for number, tree in enumerate(self.trees):
            if not 0 <= (tree.output or 0) < self.outputs:
                raise ValueError(f"tree {number} serves no output")
            for place, node in enumerate(tree.nodes):
                if not self._fits(node, 1 if tree.output is not None else self.outputs):
                    raise ValueError(f"node {place} of tree {number} does not fit the inputs")
        return self

    def _fits(self, node: Node, values: int) -> bool:
        if isinstance(node, Leaf):
            return len(node.values) == values
        if node.input >= len(self.features):
            return False
        feature = self.features[node.input]
        if isinstance(feature, OrderedInput):
            return node.threshold is not None and not node.categories
        texts = {isinstance(category, str) for category in node.categories} <= {feature.is_text}
        return node.threshold is None and texts

    @property
    def inputs(self) -> tuple[str, ...]:
        """The features that it reads, by name."""
        return tuple(feature.name for feature in self.features)

    @property
    def text_inputs(self) -> frozenset[str]:
        """Those of them that are text."""
        return frozenset(feature.name for feature in self.features if feature.is_text)
