"""LightGBM's text files (Booster.save_model), read without LightGBM (requirement C4).

Splits send a row left if value <= threshold, in double precision, or if its category is in a set.
Two bits of `decision_type` say what counts as missing: nothing (NaN is 0), zero, or NaN.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from pydantic import ValidationError

from scoring.errors import ModelFileError
from scoring.files.faults import faults
from scoring.files.growing import grown, with_inputs
from scoring.files.source import Source
from scoring.literals import LARGEST
from scoring.models.document import Combination
from scoring.models.trees import (
    CategoryInput,
    Leaf,
    Node,
    OrderedInput,
    Split,
    Tree,
    TreeInput,
    TreeModel,
)

CATEGORICAL, DEFAULT_LEFT = 1, 2
MISSING_IS_NOTHING, MISSING_IS_ZERO = 0, 1
VALUES = frozenset(
    {"regression", "regression_l1", "huber", "fair", "quantile", "mape", "lambdarank"}
)

Fields = Mapping[str, str]
# Of categorical features: the values that their codes stand for, None: the codes.
Categories = Mapping[int, Sequence[str] | Sequence[float] | None]


def read_lightgbm(content: bytes, source: Source) -> TreeModel:
    """The model of a text file. Raises ModelFileError."""
    try:
        text = content.decode()
        header, trees = _sections(text)
        return _model(header, trees, text, source)
    except ValidationError as error:
        raise ModelFileError(f"the LightGBM file cannot be read; {faults(error)}") from None
    except (KeyError, ValueError, IndexError) as error:
        raise ModelFileError(
            f"the LightGBM file cannot be read, it lacks or garbles {error}"
        ) from None


def _model(header: Fields, sections: Sequence[Fields], text: str, source: Source) -> TreeModel:
    in_file = header["feature_names"].split()
    unnamed = all(name == f"Column_{place}" for place, name in enumerate(in_file))
    names = source.names(None if unnamed else in_file, len(in_file))
    combination, factor = _objective(header.get("objective", ""))
    outputs = int(header["num_tree_per_iteration"])
    categories = _categories(text, sections)
    trees = [
        Tree(output=number % outputs, nodes=_nodes(section, factor, categories))
        for number, section in enumerate(sections)
    ]
    inputs: list[TreeInput] = [
        CategoryInput(name=name, is_text=_is_text(categories[place]))
        if place in categories
        else OrderedInput(name=name)
        for place, name in enumerate(names)
    ]
    return source.document(
        TreeModel,
        kind="trees",
        combination=combination,
        outputs=outputs,
        comparison="<=",
        precision=64,
        base=(0.0,) * outputs,
        divisor=len(trees) / outputs if "average_output" in header else 1.0,
        **with_inputs(trees, names, inputs),
    )


def _sections(text: str) -> tuple[Fields, list[Fields]]:
    """The header and one section a tree, as keys and values."""
    body, end, _ = text.partition("\nend of trees")
    if not body.startswith("tree\n") or not end:
        raise ModelFileError("not a LightGBM text file, or one that was cut off")
    header, *trees = body.split("\nTree=")
    return _fields(header), [_fields(tree) for tree in trees]


def _fields(section: str) -> Fields:
    return {key: value for key, _, value in (line.partition("=") for line in section.splitlines())}


def _objective(objective: str) -> tuple[Combination, float]:
    """How outputs become predictions, and what raw scores are multiplied with first."""
    name, *settings = objective.split() or [""]
    options = dict(setting.partition(":")[::2] for setting in settings)
    if name == "binary":
        return "sigmoid", float(options.get("sigmoid", "1"))
    if name in {"cross_entropy", "xentropy"}:
        return "sigmoid", 1.0
    if name in {"multiclass", "softmax"}:
        return "softmax", 1.0
    if name in VALUES and "sqrt" not in options:
        return "sum", 1.0
    raise ModelFileError(
        f"LightGBM's objective {objective or '(none)'} is not one that can be scored here: "
        "use binary, cross_entropy, multiclass or a plain regression"
    )


def _nodes(section: Fields, factor: float, categories: Categories) -> tuple[Node, ...]:
    if section.get("is_linear", "0") != "0":
        raise ModelFileError("trees with linear models in their leaves are not supported")
    leaves = [float(value) * factor for value in section["leaf_value"].split()]
    if len(leaves) == 1:
        return (Leaf(values=(leaves[0],)),)
    splits = list(_splits(section, categories))

    def node_at(number: int) -> Node:
        """Below 0 are leaves, by their complement."""
        return Leaf(values=(leaves[~number],)) if number < 0 else splits[number]

    return grown(0, node_at)


def _splits(section: Fields, categories: Categories) -> Iterator[Split]:
    columns = ("split_feature", "decision_type", "left_child", "right_child")
    whole = (map(int, section[name].split()) for name in columns)
    thresholds = map(float, section["threshold"].split())
    for feature, decision, left, right, threshold in zip(*whole, thresholds, strict=True):
        children = {"input": feature, "left": left, "right": right}
        if decision & CATEGORICAL:
            codes = _bits(section, int(threshold))
            values = categories[feature]
            chosen = tuple(float(code) if values is None else values[code] for code in codes)
            yield Split.model_validate({**children, "categories": chosen, "missing": "right"})
            continue
        missing: Literal["left", "right"] = "left" if decision & DEFAULT_LEFT else "right"
        missing_is = decision >> 2
        if missing_is == MISSING_IS_NOTHING:  # NaN is read as 0
            missing = "left" if threshold >= 0 else "right"
        yield Split(
            **children,
            threshold=min(max(threshold, -LARGEST), LARGEST),  # "inf": all that is there
            missing=missing,
            zero_is_missing=missing_is == MISSING_IS_ZERO,
        )


def _bits(section: Fields, number: int) -> list[int]:
    """Category codes of a split: the bits of its words of 32."""
    bounds = [int(bound) for bound in section["cat_boundaries"].split()]
    words = [int(word) for word in section["cat_threshold"].split()]
    return [
        place * 32 + bit
        for place, word in enumerate(words[bounds[number] : bounds[number + 1]])
        for bit in range(32)
        if word >> bit & 1
    ]


def _categories(text: str, sections: Sequence[Fields]) -> Categories:
    """Which features splits take as categories; pandas's own categories stand at the end."""
    used = {
        feature
        for section in sections
        for feature, decision in zip(
            map(int, section.get("split_feature", "").split()),
            map(int, section.get("decision_type", "").split()),
            strict=True,
        )
        if decision & CATEGORICAL
    }
    _, _, tail = text.rpartition("\npandas_categorical:")
    named = json.loads(tail) if tail.strip() and "\npandas_categorical:" in text else None
    if not named:
        return dict.fromkeys(used)
    _, _, listed = text.rpartition("[categorical_feature: ")
    columns = [int(column) for column in listed.partition("]")[0].split(",")]
    values = dict(zip(columns, named, strict=True))
    return {feature: _plain(values[feature]) for feature in used}


def _plain(values: Sequence[object]) -> Sequence[str] | Sequence[float]:
    if all(isinstance(value, str) for value in values):
        return [str(value) for value in values]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return [float(str(value)) for value in values]
    raise ModelFileError("categories must be all text, or all numbers")


def _is_text(values: Sequence[str] | Sequence[float] | None) -> bool:
    return bool(values) and isinstance(values[0], str)  # type: ignore[index]
