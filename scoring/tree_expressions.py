"""Trees as SQL: a CASE a tree, sums of ten trees a column, the rest in queries around them (C4)."""

from collections.abc import Sequence

from sqlglot import exp

from scoring.inputs import FEATURES, scaled
from scoring.layers import aliased, layer, score_columns, score_name
from scoring.literals import (
    Branch,
    case,
    column,
    computed_once,
    conjunction,
    number,
    present,
    text,
    total,
)
from scoring.models.trees import CategoryInput, Leaf, Split, Tree, TreeModel
from scoring.thresholds import left_end

# One sum of all trees is an expression that engines compile and run several times slower.
TREES_A_SUM = 10
# Deeper trees are cut in pieces: parsers break on deep nesting, SQLite's at a hundred symbols.
LEVELS = 24
FEW_LEVELS = {"sqlite": 12}
# LightGBM's: what lies nearer to zero than this single-precision number is zero.
ZERO = 1.0000000180025095e-35
# The largest size of a logit or logarithm; its exponential is still a double, or 0.
CERTAIN = 700.0

# A node, and the splits that lead to it with what their conditions came to.
Cut = tuple[int, tuple[tuple[Split, bool], ...]]


def tree_query(model: TreeModel, features: exp.Select, dialect: str) -> exp.Select:
    """Scores of `features`: inputs, sums of a few trees each, their sum, and the link around it."""
    sums, columns = _sums(model, dialect)
    inputs = layer(features, FEATURES, _inputs(model, dialect))
    return finished_scores(model, layer(inputs, "i", columns), sums, dialect)


def finished_scores(
    model: TreeModel, sums: exp.Select, names: Sequence[Sequence[str]], dialect: str
) -> exp.Select:
    """The scores of sums of trees; `names` are the columns of `sums` that each output adds up."""
    scores = [_mean(model, output, own, dialect) for output, own in enumerate(names)]
    if model.link == "none":
        return layer(sums, "s", score_columns(scores))
    chances = [computed_once(score, dialect) for score in scores]
    return _linked(model, layer(sums, "s", score_columns(chances)), dialect)


def _inputs(model: TreeModel, dialect: str) -> list[exp.Expression]:
    """The inputs under short names, a missing one NULL."""
    named = []
    for place, feature in enumerate(model.features):
        if isinstance(feature, CategoryInput):
            value: exp.Expression = column(feature.name, FEATURES)
            value = value if feature.is_text else present(value, dialect)
        else:
            value = scaled(feature, dialect)
            value = present(value, dialect) if feature.fill is None else value
        named.append(aliased(computed_once(value, dialect), f"i{place}"))
    return named


def _sums(model: TreeModel, dialect: str) -> tuple[list[list[str]], list[exp.Expression]]:
    """Of every output the columns to add up, and all these columns."""
    names: list[list[str]] = [[] for _ in range(model.outputs)]
    columns: list[exp.Expression] = []
    writer = _Writer(model, dialect)
    for output in range(model.outputs):
        trees = [tree for tree in model.trees if tree.output in (None, output)]
        values = [
            (tree, 0 if tree.output is not None or model.outputs == 1 else output) for tree in trees
        ]
        for start in range(0, len(values), TREES_A_SUM):
            group = values[start : start + TREES_A_SUM]
            pieces = [piece for tree, value in group for piece in writer.pieces(tree, value)]
            name = f"s{len(columns)}"
            names[output].append(name)
            columns.append(aliased(total(pieces, dialect), name))
    return names, columns


def _mean(model: TreeModel, output: int, names: Sequence[str], dialect: str) -> exp.Expression:
    votes = total([column(name, "s") for name in names], dialect)
    if model.divisor != 1:
        divisor = number(model.divisor, dialect)
        votes = exp.Div(this=exp.Paren(this=votes), expression=divisor, typed=False, safe=False)
    if not model.base[output]:
        return votes
    return exp.Add(this=number(model.base[output], dialect), expression=exp.Paren(this=votes))


def _linked(model: TreeModel, scored: exp.Select, dialect: str) -> exp.Select:
    """Chances become what sigmoid or softmax makes chances of again, in the end cases too."""
    scores = []
    for output in range(model.outputs):
        chance = column(score_name(output), "c")
        least, one = number(0.0, dialect), number(1.0, dialect)
        odds: exp.Expression = chance
        branches: list[Branch] = [
            (exp.LTE(this=chance, expression=least), number(-CERTAIN, dialect))
        ]
        if model.link == "logit":
            certain = exp.GTE(this=chance.copy(), expression=one)
            branches.append((certain, number(CERTAIN, dialect)))
            rest = exp.Paren(this=exp.Sub(this=one.copy(), expression=chance.copy()))
            odds = exp.Div(this=chance.copy(), expression=rest, typed=False, safe=False)
        scores.append(case(branches, default=exp.Ln(this=odds)))
    return layer(scored, "c", score_columns(scores))


class _Writer:
    """Writes the trees of one model."""

    def __init__(self, model: TreeModel, dialect: str) -> None:
        self._model, self._dialect = model, dialect

    def pieces(self, tree: Tree, value: int) -> list[exp.Expression]:
        """Expressions whose sum is the tree's value: one, or several of a deep tree."""
        pieces: list[exp.Expression] = []
        waiting: list[Cut] = [(0, ())]
        levels = FEW_LEVELS.get(self._dialect, LEVELS)
        while waiting:
            root, path = waiting.pop()
            piece = self._case(tree, value, (root, path), levels, waiting)
            if path:
                reached = conjunction([self._passed(*step) for step in path])
                piece = case([(reached, piece)], default=number(0.0, self._dialect))
            pieces.append(piece)
        return pieces

    def _case(
        self, tree: Tree, value: int, start: Cut, levels: int, waiting: list[Cut]
    ) -> exp.Expression:
        """The nodes from `start` on as one CASE; what lies deeper is added to `waiting`."""
        place, path = start
        node = tree.nodes[place]
        if isinstance(node, Leaf):
            return number(node.values[value], self._dialect)
        if not levels:
            waiting.append(start)
            return number(0.0, self._dialect)
        # A missing value makes no condition true, so it goes where ELSE leads.
        held, failed = node.left, node.right
        if node.missing == "left":
            held, failed = failed, held
        then, otherwise = (
            self._case(tree, value, (way, (*path, (node, is_held))), levels - 1, waiting)
            for way, is_held in ((held, True), (failed, False))
        )
        return case([(self._condition(node), then)], default=otherwise)

    def _condition(self, split: Split) -> exp.Expression:
        """Holds for values that go the way that missing ones don't; NULL for missing ones."""
        value = column(f"i{split.input}", "i")
        if split.threshold is None:
            return _among(value, split, self._dialect)
        model = self._model
        end = number(left_end(split.threshold, model.comparison, model.precision), self._dialect)
        kind = exp.LTE if split.missing == "right" else exp.GT
        compared = kind(this=value, expression=end)
        if not split.zero_is_missing:
            return compared
        low, high = number(-ZERO, self._dialect), number(ZERO, self._dialect)
        zero = exp.Between(this=value.copy(), low=low, high=high)
        return exp.And(this=compared, expression=exp.Not(this=exp.Paren(this=zero)))

    def _passed(self, split: Split, condition_held: bool) -> exp.Expression:
        condition = exp.Paren(this=self._condition(split))
        if condition_held:
            return condition
        missing = exp.Is(this=column(f"i{split.input}", "i"), expression=exp.Null())
        return exp.Paren(this=exp.Or(this=exp.Not(this=condition), expression=missing))


def _among(value: exp.Expression, split: Split, dialect: str) -> exp.Expression:
    categories = [
        text(one) if isinstance(one, str) else number(one, dialect) for one in split.categories
    ]
    if not categories:  # all go right: the condition is that of missing ones, turned round
        never = exp.EQ(this=value, expression=value.copy())
        return exp.Not(this=exp.Paren(this=never)) if split.missing == "right" else never
    among = exp.In(this=value, expressions=categories)
    return among if split.missing == "right" else exp.Not(this=exp.Paren(this=among))
