"""Trees as tables, and back: a row a node, a row a value of a leaf, a row a category (C2, C4)."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from scoring.model_rows import CONTENT, Fetch, Filled, Head, Row, frame_rows, read_frame
from scoring.models.trees import Leaf, Node, Split, Tree, TreeModel
from scoring.tables import Column, ColumnType, Table

TREE = Column("tree", ColumnType.INTEGER)
NODE = Column("node", ColumnType.INTEGER)
PLACE = Column("place", ColumnType.INTEGER)

NODES = Table(
    "model_nodes",
    (
        CONTENT,
        TREE,
        NODE,
        Column("output_number", ColumnType.INTEGER),
        Column("feature", ColumnType.INTEGER),
        Column("threshold", ColumnType.NUMBER),
        Column("missing", ColumnType.TEXT),
        Column("zero_is_missing", ColumnType.INTEGER),
        Column("left_node", ColumnType.INTEGER),
        Column("right_node", ColumnType.INTEGER),
    ),
    key=("content", "tree", "node"),
)
LEAVES = Table(
    "model_leaves",
    (CONTENT, TREE, NODE, PLACE, Column("leaf_value", ColumnType.NUMBER)),
    key=("content", "tree", "node", "place"),
)
CATEGORIES = Table(
    "model_node_categories",
    (
        CONTENT,
        TREE,
        NODE,
        PLACE,
        Column("category_text", ColumnType.TEXT),
        Column("category_number", ColumnType.NUMBER),
    ),
    key=("content", "tree", "node", "place"),
)


def tree_rows(model: TreeModel, content: str) -> list[Filled]:
    """What is no node is the frame of the document, in `model_frames`."""
    nodes: list[Row] = []
    leaves: list[Row] = []
    categories: list[Row] = []
    for number, tree in enumerate(model.trees):
        for place, node in enumerate(tree.nodes):
            at = (content, number, place)
            if isinstance(node, Leaf):
                nodes.append((*at, tree.output, None, None, None, None, None, None))
                leaves += [(*at, order, value) for order, value in enumerate(node.values)]
                continue
            rule = (node.input, node.threshold, node.missing, int(node.zero_is_missing))
            nodes.append((*at, tree.output, *rule, node.left, node.right))
            named: Sequence[str | float] = node.categories
            for order, one in enumerate(named):
                row: Row = (one, None) if isinstance(one, str) else (None, one)
                categories.append((*at, order, *row))
    frame = frame_rows(model.model_copy(update={"trees": ()}), content)
    return [frame, (NODES, nodes), (LEAVES, leaves), (CATEGORIES, categories)]


def read_trees(_: Head, fetch: Fetch) -> TreeModel:
    """The very document that was stored. Raises pydantic's ValidationError for unfit rows."""
    frame = TreeModel.model_validate_json(read_frame(fetch))
    leaves = _by_node((row[1], row[2], row[4]) for row in fetch(LEAVES))
    categories = _by_node(
        (row[1], row[2], row[5] if row[4] is None else row[4]) for row in fetch(CATEGORIES)
    )
    trees = []
    for number, grouped in groupby(fetch(NODES), key=itemgetter(1)):
        rows = list(grouped)
        nodes = tuple(
            _node(row, leaves[number, place], categories[number, place])
            for place, row in enumerate(rows)
        )
        trees.append(Tree(output=rows[0][3], nodes=nodes))
    return TreeModel.model_validate({**dict(frame), "trees": tuple(trees)})


def _node(row: Sequence[Any], values: list[Any], categories: list[Any]) -> Node:
    _, _, _, _, feature, threshold, missing, zero_is_missing, left, right = row
    if feature is None:
        return Leaf(values=tuple(values))
    return Split(
        input=feature,
        threshold=threshold,
        categories=tuple(categories),
        missing=missing,
        zero_is_missing=bool(zero_is_missing),
        left=left,
        right=right,
    )


def _by_node(values: Iterable[tuple[Any, Any, Any]]) -> defaultdict[tuple[int, int], list[Any]]:
    found: defaultdict[tuple[int, int], list[Any]] = defaultdict(list)
    for tree, node, value in values:
        found[tree, node].append(value)
    return found
