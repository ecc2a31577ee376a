"""A party's own half of a model as a person reads it (requirements C2, D3)."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from scoring.models import LinearModel, NetworkModel, ScoringModel
from scoring.models.linear import BinnedTerm, NumberTerm, Term
from scoring.models.trees import Split, TreeModel


@dataclass(frozen=True)
class ScorecardLine:
    """What a bin, or a unit of a number, adds to the score of each output.

    `adds` is empty where no single number says it (trees, networks). `share` is the variable's
    part of all that the half can move a score by, from 0 to 1, on each of its lines: by the range
    of its bins; by its splits in trees; by the first layer's weights in a network. A plain number
    has no range, and no share.
    """

    variable: str
    bin: str
    adds: tuple[float, ...]
    share: float | None


def scorecard(model: ScoringModel) -> list[ScorecardLine]:
    """One line a bin, number or input, in the model's order; the intercept is not among them."""
    if isinstance(model, LinearModel):
        return list(_terms(model))
    return list(_shares(model.inputs, _uses(model)))


def _terms(model: LinearModel) -> Iterator[ScorecardLine]:
    ranges = [_range(term) for term in model.terms]
    whole = sum(one for one in ranges if one is not None)
    for term, own in zip(model.terms, ranges, strict=True):
        share = None if own is None else own / whole if whole else 0.0
        for place, label in enumerate(_labels(term)):
            weights = tuple(term.weights_of(output)[place] for output in range(model.outputs))
            yield ScorecardLine(term.name, label, weights, share)


def _labels(term: Term) -> Sequence[str]:
    if isinstance(term, BinnedTerm):
        return term.cut.labels
    one = term.input
    return (f"each {one.scale:g}" if one.scale != 1 else "each unit",)


def _range(term: Term) -> float | None:
    """The largest difference that it makes to any output."""
    if isinstance(term, NumberTerm):
        return None
    return max(max(weights) - min(weights) for weights in term.weights)


def _uses(model: TreeModel | NetworkModel) -> list[float]:
    """How much each input is looked at."""
    if isinstance(model, NetworkModel):
        rows = model.layers[0].weights if model.layers else ()
        return [sum(map(abs, row)) for row in rows]
    counts = Counter(
        node.input for tree in model.trees for node in tree.nodes if isinstance(node, Split)
    )
    return [float(counts[place]) for place in range(len(model.features))]


def _shares(names: Iterable[str], uses: Sequence[float]) -> Iterator[ScorecardLine]:
    whole = sum(uses)
    for name, use in zip(names, uses, strict=True):
        yield ScorecardLine(name, "", (), use / whole if whole else 0.0)
