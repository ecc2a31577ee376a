"""scikit-learn's trees and their ensembles as tree documents (requirement C4).

Trees of `sklearn.tree` round their input to single precision and compare with a double threshold;
histogram gradient boosting compares doubles. Both send a row left if value <= threshold.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from scoring.errors import ModelFileError
from scoring.files.arrays import Array, Floats, array, floats, plain
from scoring.files.estimators import classes_of, is_classifier
from scoring.files.growing import grown, with_inputs
from scoring.files.pickled import Record
from scoring.files.source import Source
from scoring.literals import LARGEST
from scoring.models.document import NumberInput
from scoring.models.trees import Leaf, Node, OrderedInput, Split, Tree, TreeModel

SMALLEST_CHANCE = float(np.finfo(np.float32).eps)
SQUARED = frozenset({"squared_error", "absolute_error", "huber", "quantile"})


def read_trees(estimator: Record, inputs: Sequence[NumberInput], source: Source) -> TreeModel:
    """A single tree, or a forest whose trees vote with chances or values."""
    alone = "tree_" in estimator.state
    members = [estimator] if alone else list(array(estimator.state["estimators_"]))
    classes = classes_of(estimator) if is_classifier(estimator) else 0
    trees = [
        Tree(output=None, nodes=_nodes(member, lambda value: _votes(value, classes)))
        for member in members
    ]
    links = {0: ("sum", 1, "none"), 2: ("sigmoid", 1, "logit")}
    combination, outputs, link = links.get(classes, ("softmax", classes, "log"))
    return source.document(
        TreeModel,
        kind="trees",
        combination=combination,
        outputs=outputs,
        link=link,
        comparison="<=",
        precision=32,
        base=(0.0,) * outputs,
        divisor=float(len(members)),
        **_with_inputs(trees, inputs),
    )


def read_gradient_boosting(
    estimator: Record, inputs: Sequence[NumberInput], source: Source
) -> TreeModel:
    """GradientBoostingClassifier and -Regressor: a base, and trees times the learning rate."""
    state = estimator.state
    classes = _boosted_classes(estimator)
    rate, rounds = float(plain(state["learning_rate"])), array(state["estimators_"])
    trees = [
        Tree(output=output, nodes=_nodes(member, lambda value: value.ravel() * rate))
        for members in rounds
        for output, member in enumerate(members)
    ]
    return source.document(
        TreeModel,
        kind="trees",
        combination=_combination(classes),
        outputs=_outputs(classes),
        comparison="<=",
        precision=32,
        base=tuple(_first_scores(state["init_"], classes).tolist()),
        **_with_inputs(trees, inputs),
    )


def read_histogram_boosting(
    estimator: Record, inputs: Sequence[NumberInput], source: Source
) -> TreeModel:
    """HistGradientBoostingClassifier and -Regressor, without categorical features."""
    state = estimator.state
    classes = _boosted_classes(estimator)
    if state.get("_preprocessor") is not None:
        raise ModelFileError("histogram gradient boosting of categories is not supported")
    trees = [
        Tree(output=output, nodes=_histogram_nodes(array(predictor.state["nodes"])))
        for predictors in state["_predictors"]
        for output, predictor in enumerate(predictors)
    ]
    return source.document(
        TreeModel,
        kind="trees",
        combination=_combination(classes),
        outputs=_outputs(classes),
        comparison="<=",
        precision=64,
        base=tuple(floats(state["_baseline_prediction"]).ravel().tolist()),
        **_with_inputs(trees, inputs),
    )


def _boosted_classes(estimator: Record) -> int:
    """0 for a regression."""
    classes = classes_of(estimator) if is_classifier(estimator) else 0
    loss = estimator.state["loss"]
    if loss not in ({"log_loss"} if classes else SQUARED):
        raise ModelFileError(f"gradient boosting of loss {loss} is not supported")
    return classes


def _combination(classes: int) -> str:
    return {0: "sum", 2: "sigmoid"}.get(classes, "softmax")


def _outputs(classes: int) -> int:
    return classes if classes > 2 else 1


def _with_inputs(trees: Sequence[Tree], inputs: Sequence[NumberInput]) -> dict[str, Any]:
    ordered = [OrderedInput(**dict(one)) for one in inputs]
    return with_inputs(trees, [one.name for one in inputs], ordered)


def _votes(value: Floats, classes: int) -> Floats:
    """Chances of the classes, of two the second's alone; a value of a regression."""
    if value.shape[0] != 1:
        raise ModelFileError("trees of several outputs are not supported")
    votes: Floats = value[0]
    if classes and abs(votes.sum() - 1) > 1e-6:  # older releases count customers
        votes = votes / votes.sum()
    return votes[1:] if classes == 2 else votes


def _nodes(estimator: Record, leaf: Any) -> tuple[Node, ...]:  # noqa: ANN401 - a function
    state = estimator.state["tree_"].state
    nodes, values = array(state["nodes"]), floats(state["values"])
    fields = nodes.dtype.names or ()
    to_left = (
        nodes["missing_go_to_left"] if "missing_go_to_left" in fields else np.zeros(len(nodes))
    )

    def node_at(at: int) -> Node:
        if not 0 <= at < len(nodes):
            raise IndexError(at)
        node = nodes[at]
        if node["left_child"] < 0:
            return Leaf(values=tuple(leaf(values[at]).tolist()))
        return _split(node, "feature", "threshold", ("left_child", "right_child"), to_left[at])

    return grown(0, node_at)


def _histogram_nodes(nodes: Array) -> tuple[Node, ...]:
    if nodes["is_categorical"].any():
        raise ModelFileError("histogram gradient boosting of categories is not supported")

    def node_at(at: int) -> Node:
        node = nodes[at]
        if node["is_leaf"]:
            return Leaf(values=(float(node["value"]),))
        to_left = node["missing_go_to_left"]
        return _split(node, "feature_idx", "num_threshold", ("left", "right"), to_left)

    return grown(0, node_at)


def _split(
    node: Any,  # noqa: ANN401 - a row of named fields
    feature: str,
    threshold: str,
    children: tuple[str, str],
    to_left: Any,  # noqa: ANN401
) -> Split:
    left, right = children
    return Split(
        input=int(node[feature]),
        threshold=min(max(float(node[threshold]), -LARGEST), LARGEST),  # infinity: all there is
        missing="left" if to_left else "right",
        left=int(node[left]),
        right=int(node[right]),
    )


def _first_scores(first: Any, classes: int) -> Floats:  # noqa: ANN401 - an estimator, or a word
    """What boosting starts from: the raw scores of the classes' shares, or the mean."""
    if first == "zero":
        return np.zeros(_outputs(classes))
    if not isinstance(first, Record) or not first.name.startswith("Dummy"):
        raise ModelFileError("gradient boosting from an estimator of one's own is not supported")
    if not classes:
        return floats(first.state["constant_"]).ravel()
    shares = floats(first.state["class_prior_"]).ravel()
    shares = np.clip(shares, SMALLEST_CHANCE, 1 - SMALLEST_CHANCE)
    odds: Floats = np.log(shares) - np.log(shares).mean()
    if classes == 2:
        odds = np.log(shares[1:] / (1 - shares[1:]))
    return odds
