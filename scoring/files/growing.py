"""Trees of a file into trees of a document, whatever the order of its nodes."""

from collections.abc import Callable, Sequence

from scoring.errors import ModelFileError
from scoring.models.trees import Leaf, Node, OrderedInput, Split, Tree, TreeInput

# A query of more nodes is one that engines take minutes to read.
MOST_NODES = 200_000


def grown(root: int, node_at: Callable[[int], Node]) -> tuple[Node, ...]:
    """Nodes from the root, parents first; `node_at` gives a node with the file's own numbers."""
    found: dict[int, Node] = {}
    waiting = [root]
    while waiting:
        at = waiting.pop()
        if at in found:
            raise ModelFileError(f"a tree of the file leads back to its node {at}")
        try:
            node = found[at] = node_at(at)
        except (IndexError, KeyError):
            raise ModelFileError(f"a tree of the file has no node {at}") from None
        if isinstance(node, Split):
            waiting += [node.right, node.left]
    places = {at: place for place, at in enumerate(found)}
    return tuple(
        node
        if isinstance(node, Leaf)
        else node.model_copy(update={"left": places[node.left], "right": places[node.right]})
        for node in found.values()
    )


def with_inputs(
    trees: Sequence[Tree], names: Sequence[str], inputs: Sequence[TreeInput] | None = None
) -> dict[str, object]:
    """The fields `features` and `trees` of a document that reads only what its splits look at."""
    if sum(len(tree.nodes) for tree in trees) > MOST_NODES:
        raise ModelFileError(f"the model has more than {MOST_NODES} nodes: train a smaller one")
    features = inputs or [OrderedInput(name=name) for name in names]
    splits = {node.input for tree in trees for node in tree.nodes if isinstance(node, Split)}
    used = sorted(splits)
    if used and used[-1] >= len(features):
        raise ModelFileError(f"a split looks at feature {used[-1]} of {len(features)}")
    place = {feature: at for at, feature in enumerate(used)}
    renumbered = tuple(
        Tree(
            output=tree.output,
            nodes=tuple(
                node.model_copy(update={"input": place[node.input]})
                if isinstance(node, Split)
                else node
                for node in tree.nodes
            ),
        )
        for tree in trees
    )
    return {"features": tuple(features[at] for at in used), "trees": renumbered}
