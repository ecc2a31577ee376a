"""XGBoost's model files, JSON and UBJSON, read without XGBoost (requirement C4).

Splits send a row left if float32(value) < threshold, a missing value where `default_left` says.
Leaves and thresholds are single-precision numbers; XGBoost sums in single precision, SQL in
double, so that scores agree to about 1e-6. A base score is a chance under a logistic objective.
"""

from collections.abc import Mapping, Sequence
from math import log
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from scoring.errors import ModelFileError
from scoring.files.faults import faults
from scoring.files.growing import grown, with_inputs
from scoring.files.source import Source
from scoring.files.ubjson import read_ubjson
from scoring.models.document import Combination
from scoring.models.trees import Leaf, Node, Split, Tree, TreeModel

COMBINATIONS: Mapping[str, Combination] = {
    "binary:logistic": "sigmoid",
    "reg:logistic": "sigmoid",
    "multi:softprob": "softmax",
    "multi:softmax": "softmax",
    "reg:squarederror": "sum",
    "reg:absoluteerror": "sum",
    "reg:pseudohubererror": "sum",
    "reg:quantileerror": "sum",
    "binary:logitraw": "sum",
}

# Written as single-precision numbers with few digits: their doubles are others.
Single = Annotated[float, BeforeValidator(lambda value: float(np.float32(value)))]


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _TreeParameters(_Read):
    size_leaf_vector: int = 1


class _Tree(_Read):
    left_children: Sequence[int]
    right_children: Sequence[int]
    split_indices: Sequence[int]
    split_conditions: Sequence[Single]
    default_left: Sequence[bool]
    split_type: Sequence[int] = ()
    tree_param: _TreeParameters


class _Trees(_Read):
    trees: Sequence[_Tree]
    tree_info: Sequence[int]
    iteration_indptr: Sequence[int] = ()


class _Inner(_Read):
    model: _Trees


class _Booster(_Read):
    name: Literal["gbtree", "dart"] = "gbtree"
    trees: _Trees | None = Field(default=None, alias="model")
    inner: _Inner | None = Field(default=None, alias="gbtree")
    weight_drop: Sequence[Single] = ()


class _Objective(_Read):
    name: str


class _Parameters(_Read):
    base_score: str
    num_class: int
    num_feature: int
    num_target: int = 1


class _Learner(_Read):
    attributes: Mapping[str, str] = {}
    feature_names: Sequence[str] = ()
    gradient_booster: _Booster
    learner_model_param: _Parameters
    objective: _Objective


class _File(_Read):
    learner: _Learner


def read_xgboost(content: bytes, source: Source) -> TreeModel:
    """The model of a JSON or UBJSON file. Raises ModelFileError."""
    try:
        if content[:2].rstrip() in {b"{", b'{"'}:
            learner = _File.model_validate_json(content).learner
        else:
            learner = _File.model_validate(read_ubjson(content)).learner
    except ValidationError as error:
        raise ModelFileError(f"not a model file of XGBoost; {faults(error)}") from None
    combination = COMBINATIONS.get(learner.objective.name)
    if combination is None:
        raise ModelFileError(
            f"XGBoost's objective {learner.objective.name} is not one that can be scored here: "
            f"use one of {', '.join(COMBINATIONS)}"
        )
    booster, parameters = learner.gradient_booster, learner.learner_model_param
    model = booster.trees or (booster.inner and booster.inner.model)
    if not model or parameters.num_target > 1:
        raise ModelFileError("only trees with one target are supported")
    _check_rounds(learner, model)
    outputs = max(1, parameters.num_class)
    names = source.names(learner.feature_names, parameters.num_feature)
    weights = booster.weight_drop or [1.0] * len(model.trees)
    trees = [
        Tree(output=output, nodes=_nodes(tree, weight))
        for tree, output, weight in zip(model.trees, model.tree_info, weights, strict=True)
    ]
    return source.document(
        TreeModel,
        kind="trees",
        combination=combination,
        outputs=outputs,
        comparison="<",
        precision=32,
        base=_base(parameters.base_score, outputs, combination),
        **with_inputs(trees, names),
    )


def _check_rounds(learner: _Learner, model: _Trees) -> None:
    """After early stopping XGBoost predicts now by all trees and now by the best ones."""
    best = learner.attributes.get("best_iteration")
    rounds = len(model.iteration_indptr) - 1
    if best is not None and rounds > 0 and int(best) + 1 != rounds:
        raise ModelFileError(
            f"the model has {rounds} rounds and its best is {best}: save the part to be used, "
            "booster[: booster.best_iteration + 1].save_model(…)"
        )


def _base(score: str, outputs: int, combination: Combination) -> tuple[float, ...]:
    try:
        scores = [float(np.float32(one)) for one in score.strip("[]").split(",")]
    except ValueError:
        raise ModelFileError(f"XGBoost's base score is {score!r}, not a number") from None
    if combination == "sigmoid":
        if not all(0 < one < 1 for one in scores):
            raise ModelFileError(f"XGBoost's base score is {score}, not a chance between 0 and 1")
        scores = [log(one / (1 - one)) for one in scores]
    return tuple(scores) if len(scores) == outputs else (scores[0],) * outputs


def _nodes(tree: _Tree, weight: float) -> tuple[Node, ...]:
    if any(tree.split_type):
        raise ModelFileError(
            "XGBoost's categorical splits are not supported: train on one column a category"
        )
    if tree.tree_param.size_leaf_vector > 1:
        raise ModelFileError("XGBoost's leaves of several values are not supported")

    def node_at(at: int) -> Node:
        if at < 0:
            raise IndexError(at)
        left, right = tree.left_children[at], tree.right_children[at]
        if left < 0:
            return Leaf(values=(tree.split_conditions[at] * weight,))
        return Split(
            input=tree.split_indices[at],
            threshold=tree.split_conditions[at],
            missing="left" if tree.default_left[at] else "right",
            left=left,
            right=right,
        )

    return grown(0, node_at)
