"""Models of more inputs than an engine selects at once: parts of the scores, summed (P6, C3).

Every kind of model begins with sums: of terms, of trees, of a first layer's inputs. So each part
is a smaller model of the same kind, scored by itself, and only sums are joined.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from sqlglot import exp

from scoring.expressions import partial_score_query
from scoring.layers import SAMPLE_ID, aliased, score_columns, score_name
from scoring.literals import column, present, total
from scoring.models import LinearModel, NetworkModel, ScoringModel, TreeModel
from scoring.models.network import Layer
from scoring.models.trees import Split, Tree
from scoring.network_expressions import upper_layers
from scoring.tree_expressions import finished_scores
from scoring.wide_tables import QueryOf

T = TypeVar("T")
# Makes one join of all parts, wider than its own limit, unless it is told to keep them apart.
FLATTENING = frozenset({"postgres"})


def wide_score_query(model: ScoringModel, inputs: QueryOf, dialect: str, most: int) -> exp.Select:
    """scoring.expressions.partial_score_query, with at most so many inputs in each part.

    `inputs` yields sample_id and some inputs of the model.
    """
    match model:
        case LinearModel():
            joined = _Joined(_linear_parts(model, most), inputs, dialect)
            return joined.layer(score_columns(joined.sums))
        case TreeModel():
            joined = _Joined(_tree_parts(model, most), inputs, dialect)
            sums = joined.layer([aliased(one, f"s{at}") for at, one in enumerate(joined.sums)])
            return finished_scores(
                model, sums, [[f"s{at}"] for at in range(model.outputs)], dialect
            )
        case NetworkModel():
            joined = _Joined(_network_parts(model, most), inputs, dialect)
            if len(model.layers) == 1:
                return joined.layer(score_columns(joined.sums))
            first = joined.layer([aliased(one, f"z{at}") for at, one in enumerate(joined.sums)])
            return upper_layers(model, first, dialect)


class _Joined:
    """Queries of several parts of a model, joined on the sample; `sums` is a score an output."""

    def __init__(self, parts: Sequence[ScoringModel], inputs: QueryOf, dialect: str) -> None:
        self._tables = [f"p{number}" for number in range(len(parts))]
        queries = [partial_score_query(one, inputs(one.inputs), dialect) for one in parts]
        if dialect in FLATTENING:
            queries = [query.offset(0, copy=False) for query in queries]
        self._queries = queries
        self.sums = [
            present(
                total([column(score_name(output), table) for table in self._tables], dialect),
                dialect,
            )
            for output in range(parts[0].outputs)
        ]

    def layer(self, columns: Iterable[exp.Expression]) -> exp.Select:
        first, *others = (
            query.subquery(table, copy=False)
            for query, table in zip(self._queries, self._tables, strict=True)
        )
        query = exp.select(column(SAMPLE_ID, "p0"), *columns, copy=False).from_(first, copy=False)
        for table, other in zip(self._tables[1:], others, strict=True):
            same = exp.EQ(this=column(SAMPLE_ID, "p0"), expression=column(SAMPLE_ID, table))
            query = query.join(other, on=same, copy=False)
        return query


def _linear_parts(model: LinearModel, most: int) -> list[ScoringModel]:
    return [
        model.model_copy(update={"terms": terms, "intercepts": None if at else model.intercepts})
        for at, terms in enumerate(_groups(model.terms, most))
    ]


def _network_parts(model: NetworkModel, most: int) -> list[ScoringModel]:
    """The sums of the first layer; its biases come with the first part."""
    first = model.layers[0]
    rows = _groups(first.weights, most)
    parts: list[ScoringModel] = []
    for at, features in enumerate(_groups(model.features, most)):
        biases = tuple(0.0 for _ in first.biases) if at else first.biases
        layer = Layer(weights=rows[at], biases=biases, activation="identity")
        changes = {"features": features, "layers": (layer,), "outputs": len(biases)}
        parts.append(model.model_copy(update=changes))
    return parts


def _tree_parts(model: TreeModel, most: int) -> list[ScoringModel]:
    """Sums of some of the trees, without base, mean and link."""
    groups: list[tuple[list[Tree], set[int]]] = [([], set())]
    for tree in model.trees:
        read = {node.input for node in tree.nodes if isinstance(node, Split)}
        if groups[-1][0] and len(groups[-1][1] | read) > most:
            groups.append(([], set()))
        groups[-1][0].append(tree)
        groups[-1][1].update(read)
    return [_of_trees(model, trees, sorted(read)) for trees, read in groups]


def _of_trees(model: TreeModel, trees: Sequence[Tree], read: Sequence[int]) -> TreeModel:
    places = {place: at for at, place in enumerate(read)}
    renumbered = tuple(
        tree.model_copy(
            update={
                "nodes": tuple(
                    node.model_copy(update={"input": places[node.input]})
                    if isinstance(node, Split)
                    else node
                    for node in tree.nodes
                )
            }
        )
        for tree in trees
    )
    changes = {
        "features": tuple(model.features[place] for place in read),
        "trees": renumbered,
        "base": (0.0,) * model.outputs,
        "divisor": 1.0,
        "link": "none",
    }
    return model.model_copy(update=changes)


def _groups(items: tuple[T, ...], size: int) -> list[tuple[T, ...]]:
    return [items[at : at + size] for at in range(0, len(items), size)]
