"""Feature columns as a model reads them: scaled numbers, and bins (requirements P3, P5)."""

from collections.abc import Sequence

from sqlglot import exp

from learning.binning import Rule, VariableBins
from scoring.literals import LARGEST, Branch, case, column, number, present, text
from scoring.models.document import NumberInput

FEATURES = "f"


def scaled(feature: NumberInput, dialect: str) -> exp.Expression:
    """A number as the model sees it; NULL stays NULL where the model has no value for it."""
    value: exp.Expression = column(feature.name, FEATURES)
    if feature.fill is not None:
        filling = number(feature.fill, dialect)
        value = exp.Coalesce(this=present(value, dialect), expressions=[filling])
    if feature.centre:
        centre = number(feature.centre, dialect)
        value = exp.Paren(this=exp.Sub(this=value, expression=centre))
    if feature.scale != 1:
        scale = number(feature.scale, dialect)
        value = exp.Div(this=value, expression=scale, typed=False, safe=False)
    return value


def of_bin(cut: VariableBins, values: Sequence[exp.Expression], dialect: str) -> exp.Expression:
    """The value of the bin that a row falls in, cut exactly as learning.binning does.

    NULL and NaN are missing. Infinity, which training refuses, counts as missing above and as
    the lowest value below. A missing value must be NULL where the rule is presence.
    """
    value = column(cut.name, FEATURES)
    if cut.rule is Rule.CATEGORY:
        missing = exp.Is(this=value, expression=exp.Null())
        branches: list[Branch] = [(missing, values[cut.missing_bin])]
        branches += [
            (exp.EQ(this=value.copy(), expression=text(category)), values[code])
            for code, category in enumerate(cut.categories, cut.first_bin)
        ]
        return case(branches, default=values[cut.other_bin])
    if cut.rule is Rule.PRESENCE and not cut.edges:  # of a number or a text
        missing = exp.Is(this=value, expression=exp.Null())
        return case([(missing, values[cut.missing_bin])], default=values[cut.first_bin])
    measured = exp.Abs(this=value) if cut.rule is Rule.ZERO_NONZERO else value
    # Nothing compares as below the largest number but numbers: neither NULL nor NaN does.
    ends = [*cut.edges, LARGEST]
    branches = [
        (exp.LTE(this=measured.copy(), expression=number(end, dialect)), values[code])
        for code, end in enumerate(ends, cut.first_bin)
    ]
    return case(branches, default=values[cut.missing_bin])
