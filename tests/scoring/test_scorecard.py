"""A half as a scorecard: what each bin adds, and each variable's share of the points (C2)."""

from typing import Any

import pytest

from learning.binning import Rule
from scoring.models.document import NumberInput
from scoring.models.linear import LinearModel, NumberTerm
from scoring.models.network import Layer, NetworkModel
from scoring.models.trees import Leaf, OrderedInput, Split, Tree, TreeModel
from scoring.scorecard import scorecard
from tests.scoring.documents import DIGEST, binned, cut_by, logistic


def test_bins_add_their_weights_and_share_by_their_range() -> None:
    income = binned(cut_by("income", Rule.VALUES, [1.0, 2.0]), [-1.0, 0.5, 2.0])
    card = binned(cut_by("card", Rule.PRESENCE, missing=True), [0.25, -0.75])
    lines = scorecard(logistic(income, card, intercept=7.0))
    assert [(line.variable, line.bin, line.adds) for line in lines] == [
        ("income", "bin 0", (-1.0,)),
        ("income", "bin 1", (0.5,)),
        ("income", "bin 2", (2.0,)),
        ("card", "bin 0", (0.25,)),
        ("card", "bin 1", (-0.75,)),
    ]
    assert [line.share for line in lines] == [0.75] * 3 + [0.25] * 2


def test_numbers_add_by_the_unit_and_have_no_share() -> None:
    terms = (
        NumberTerm(input=NumberInput(name="age"), weights=(0.5, -0.5)),
        NumberTerm(input=NumberInput(name="income", scale=1000.0), weights=(0.1, 0.2)),
    )
    model = LinearModel(
        model_id="m", digest=DIGEST, kind="softmax", combination="softmax", outputs=2,
        intercepts=None, terms=terms,
    )  # fmt: skip
    assert [(line.bin, line.adds, line.share) for line in scorecard(model)] == [
        ("each unit", (0.5, -0.5), None),
        ("each 1000", (0.1, 0.2), None),
    ]


def test_trees_share_by_splits_and_networks_by_weights() -> None:
    leaf = Leaf(values=(1.0,))
    deeper = Split(input=1, threshold=0.0, missing="left", left=3, right=4)
    nodes = (Split(input=0, threshold=0.0, missing="left", left=1, right=2), leaf, deeper)
    again = (deeper.model_copy(update={"left": 1, "right": 2}), leaf, leaf)
    head: dict[str, Any] = {"model_id": "m", "digest": DIGEST, "combination": "sum", "outputs": 1}
    trees = TreeModel(
        **head, kind="trees", comparison="<", precision=32, base=(0.0,),
        features=(OrderedInput(name="age"), OrderedInput(name="income")),
        trees=(Tree(output=0, nodes=(*nodes, leaf, leaf)), Tree(output=0, nodes=again)),
    )  # fmt: skip
    assert [one.variable for one in scorecard(trees)] == ["age", "income"]
    assert [one.share for one in scorecard(trees)] == pytest.approx([1 / 3, 2 / 3])
    layer = Layer(weights=((1.0,), (-3.0,)), biases=(0.0,), activation="identity")
    features = (NumberInput(name="age"), NumberInput(name="income"))
    network = NetworkModel(**head, kind="network", features=features, layers=(layer,))
    assert [one.share for one in scorecard(network)] == [0.25, 0.75]
