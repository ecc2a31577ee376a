"""Trees by SQL go the way that their document says, on every engine (C4)."""

from math import inf, nextafter
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from scoring.combining import combine
from scoring.engines.engine import Engine
from scoring.literals import LARGEST
from scoring.model_tables import ModelTables
from scoring.models.trees import CategoryInput, Leaf, OrderedInput, Split, Tree, TreeModel
from scoring.thresholds import left_end
from scoring.tree_expressions import ZERO
from tests.scoring.documents import DIGEST, scored

Value = float | str | None
THRESHOLDS = st.one_of(
    st.sampled_from([-1.0, -0.0, 0.0, 0.1, 1.0, 1e-36]), st.floats(-1e6, 1e6, allow_subnormal=False)
)
NUMBERS: list[Value] = [None, 0.0, -0.0, 1e-36, -1e-36, 0.1, 1e308, -1e308, 1.0, -1.0]
TEXTS: list[Value] = [None, "a", "b", "o'hara", "never seen", ""]
CODES: list[Value] = [None, 0.0, 1.0, 2.0, -1.0, 7.0]
FEATURES = (
    OrderedInput(name="x"),
    OrderedInput(name="y"),
    CategoryInput(name="job", is_text=True),
    CategoryInput(name="code", is_text=False),
)
CATEGORIES = {2: st.sampled_from(["a", "b", "o'hara", ""]), 3: st.sampled_from([0.0, 1.0, 2.0])}
SEVERAL = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@st.composite
def trees(draw: st.DrawFn, depth: int = 4) -> Tree:
    nodes: list[Leaf | Split] = []

    def grow(levels: int) -> int:
        at = len(nodes)
        nodes.append(Leaf(values=(draw(st.floats(-9, 9)),)))
        if levels and draw(st.booleans()):
            feature = draw(st.integers(0, 3))
            fields: dict[str, Any] = {"input": feature, "missing": draw(WAYS)}
            if feature < 2:
                fields |= {"threshold": draw(THRESHOLDS), "zero_is_missing": draw(st.booleans())}
            else:
                fields["categories"] = tuple(draw(st.lists(CATEGORIES[feature], unique=True)))
            nodes[at] = Split(**fields, left=grow(levels - 1), right=grow(levels - 1))
        return at

    grow(depth)
    return Tree(output=0, nodes=tuple(nodes))


WAYS = st.sampled_from(["left", "right"])


def model_of(*grown: Tree, **more: Any) -> TreeModel:
    fields: dict[str, Any] = {
        "model_id": "trees",
        "digest": DIGEST,
        "kind": "trees",
        "combination": "sum",
        "outputs": 1,
        "comparison": "<=",
        "precision": 64,
        "features": FEATURES,
        "base": (0.5,),
        "trees": grown,
    }
    return TreeModel(**(fields | more))


def walk(tree: Tree, row: dict[str, Value], comparison: str, precision: int) -> float:
    node = tree.nodes[0]
    while isinstance(node, Split):
        value = row[FEATURES[node.input].name]
        node = tree.nodes[
            node.left if goes_left(node, value, comparison, precision) else node.right
        ]
    return node.values[0]


def goes_left(split: Split, value: Value, comparison: str, precision: int) -> bool:
    zero = split.zero_is_missing and isinstance(value, float) and -ZERO <= value <= ZERO
    if value is None or zero:
        return split.missing == "left"
    if split.threshold is None:
        return value in split.categories
    assert isinstance(value, float)
    with np.errstate(over="ignore"):
        rounded = float(np.float32(value)) if precision == 32 else value
    return rounded < split.threshold if comparison == "<" else rounded <= split.threshold


@SEVERAL
@given(
    grown=st.lists(trees(), min_size=1, max_size=12),
    comparison=st.sampled_from(["<", "<="]),
    precision=st.sampled_from([32, 64]),
)
def test_random_trees_lead_every_row_to_its_leaf(
    engine: Engine, grown: list[Tree], comparison: str, precision: int
) -> None:
    model = model_of(*grown, comparison=comparison, precision=precision)
    thresholds = [node.threshold for tree in grown for node in tree.nodes if node.form == "split"]
    numbers = NUMBERS + [
        value
        for threshold in thresholds
        if threshold is not None
        for value in (threshold, nextafter(threshold, inf), nextafter(threshold, -inf))
        if abs(value) > 1e-300 or value == 0
    ]
    rows: list[dict[str, Value]] = [
        {
            "x": number,
            "y": numbers[-place],
            "job": TEXTS[place % len(TEXTS)],
            "code": CODES[place % len(CODES)],
        }
        for place, number in enumerate(numbers)
    ]
    found = scored(engine, model, {name: [row[name] for row in rows] for name in rows[0]})
    walked = [0.5 + sum(walk(tree, row, comparison, precision) for tree in grown) for row in rows]
    np.testing.assert_allclose(found[:, 0], walked, rtol=1e-12, atol=1e-12)
    stored = ModelTables(engine).store(model)
    assert ModelTables(engine).load("trees", stored.version) == model


@pytest.mark.parametrize("missing", ["left", "right"])
def test_a_tree_of_a_hundred_levels_is_one_query(engine: Engine, missing: str) -> None:
    """Each level splits off one leaf, with the missing values on either side."""
    nodes: list[Leaf | Split] = []
    for level in range(100):
        feature = OrderedInput(name="x") if level % 2 else OrderedInput(name="y")
        place = [one.name for one in FEATURES[:2]].index(feature.name)
        nodes.append(
            Split.model_validate(
                {
                    "input": place,
                    "threshold": float(level),
                    "missing": missing,
                    "left": 2 * level + 1,
                    "right": 2 * level + 2,
                }
            )
        )
        nodes.append(Leaf(values=(float(level),)))
    tree = Tree(output=0, nodes=(*nodes, Leaf(values=(-1.0,))))
    values: list[Value] = [None, *map(float, range(-1, 102, 3))]
    rows: list[dict[str, Value]] = [
        {"x": value, "y": other, "job": None, "code": None}
        for value, other in zip(values * 2, values + values[::-1], strict=True)
    ]
    found = scored(engine, model_of(tree), {name: [row[name] for row in rows] for name in rows[0]})
    walked = [0.5 + walk(tree, row, "<=", 64) for row in rows]
    assert found[:, 0].tolist() == walked
    assert len(set(walked)) > 30


@given(
    threshold=st.floats(allow_nan=False, allow_infinity=False),
    comparison=st.sampled_from(["<", "<="]),
    near=st.integers(-3, 3),
)
def test_single_precision_comparisons_are_comparisons_of_doubles(
    threshold: float, comparison: str, near: int
) -> None:
    if comparison == "<":
        threshold = float(np.float32(np.clip(threshold, -3.4e38, 3.4e38)))
    end = left_end(threshold, comparison, 32)
    value = end
    for _ in range(abs(near)):
        value = nextafter(value, inf if near > 0 else -inf)
    if abs(value) <= LARGEST:
        assert (value <= end) == (near <= 0)
        with np.errstate(over="ignore"):
            single = float(np.float32(value))
        assert (single < threshold if comparison == "<" else single <= threshold) == (near <= 0)


@pytest.mark.parametrize(("link", "combination"), [("logit", "sigmoid"), ("log", "softmax")])
def test_votes_become_chances_again_in_the_end_cases_too(
    engine: Engine, link: str, combination: Any
) -> None:
    leaves = [(0.0, 1.0), (1.0, 0.0), (0.25, 0.75)]
    outputs = 1 if link == "logit" else 2
    first = Split(input=0, threshold=0.0, missing="left", left=1, right=2)
    second = Split(input=0, threshold=1.0, missing="left", left=3, right=4)
    nodes = (first, Leaf(values=leaves[0][:outputs]), second)
    rest = tuple(Leaf(values=one[:outputs]) for one in leaves[1:])
    tree = Tree(output=None, nodes=nodes + rest)
    model = model_of(
        tree, tree, link=link, combination=combination, outputs=outputs, divisor=2.0,
        base=(0.0,) * outputs, features=FEATURES[:1],
    )  # fmt: skip
    found = combine(combination, [scored(engine, model, {"x": [0.0, 1.0, 2.0]})])
    np.testing.assert_allclose(found, [one[:outputs] for one in leaves], rtol=1e-15, atol=1e-300)


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ([(0, 1, 1)], "no tree"),
        ([(0, 1, 2), None], "no tree"),
        ([(0, 0, 1), None], "leads back"),
        ([(9, 1, 2), None, None], "does not fit the inputs"),
        ([(2, 1, 2), None, None], "does not fit the inputs"),
        ([None, None], "no tree"),
    ],
)
def test_what_is_no_tree_is_refused(nodes: list[tuple[int, int, int] | None], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        model_of(
            Tree(
                output=0,
                nodes=tuple(
                    Leaf(values=(1.0,))
                    if node is None
                    else Split(
                        input=node[0], threshold=1.0, missing="left", left=node[1], right=node[2]
                    )
                    for node in nodes
                ),
            )
        )
