"""Weighted sums as tables, and back: variables, bins, one wide row of weights an output (C2)."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from events.vocabulary import Role
from learning.binning import Rule, VariableBins
from scoring.linear_expressions import INTERCEPT, side_of, weight_names
from scoring.model_rows import CONTENT, Fetch, Filled, Head, Row, Rows
from scoring.models.document import NumberInput
from scoring.models.linear import BinnedTerm, LinearModel, NumberTerm, Term
from scoring.tables import Column, ColumnType, Table

VARIABLES = Table(
    "model_variables",
    (
        CONTENT,
        Column("variable", ColumnType.INTEGER),
        Column("name", ColumnType.TEXT),
        Column("form", ColumnType.TEXT),
        Column("fill", ColumnType.NUMBER),
        Column("centre", ColumnType.NUMBER),
        Column("scale", ColumnType.NUMBER),
        Column("rule", ColumnType.TEXT),
        Column("has_missing_bin", ColumnType.INTEGER),
        Column("other_bin", ColumnType.INTEGER),
        Column("merged", ColumnType.INTEGER),
    ),
    key=("content", "variable"),
)
BINS = Table(
    "model_bins",
    (
        CONTENT,
        Column("variable", ColumnType.INTEGER),
        Column("bin", ColumnType.INTEGER),
        Column("label", ColumnType.TEXT),
        Column("upper_end", ColumnType.NUMBER),
        Column("category", ColumnType.TEXT),
    ),
    key=("content", "variable", "bin"),
)


# Wider rows go on in numbered tables: what every engine takes, so that all tables are alike.
WEIGHTS_A_ROW = 800


def weight_tables(role: Role, width: int) -> list[Table]:
    """Models of one side and width share a table: `Model_id, Intercept, W_a1 … W_ak`.

    More than WEIGHTS_A_ROW weights are in tables of the same name with _1, _2, … behind it.
    """
    names = weight_names(role, width)
    name = f"model_weights_{side_of(role)}{width}"
    parts = [names[at : at + WEIGHTS_A_ROW] for at in range(0, width, WEIGHTS_A_ROW)] or [[]]
    return [
        Table(
            name if len(parts) == 1 else f"{name}_{number}",
            (
                CONTENT,
                Column("output_number", ColumnType.INTEGER),
                Column("model_id", ColumnType.TEXT),
                Column(INTERCEPT, ColumnType.NUMBER),
                *(Column(one, ColumnType.NUMBER) for one in part),
            ),
            key=("content", "output_number"),
        )
        for number, part in enumerate(parts, 1)
    ]


def linear_rows(model: LinearModel, content: str) -> list[Filled]:
    variables = [_variable_row(content, place, term) for place, term in enumerate(model.terms)]
    bins = [
        row
        for place, term in enumerate(model.terms)
        if isinstance(term, BinnedTerm)
        for row in _bin_rows(content, place, term.cut)
    ]
    tables = weight_tables(model.role, len(model.weights_of(0)))
    filled: list[Filled] = [(VARIABLES, variables), (BINS, bins)]
    for number, table in enumerate(tables):
        part = slice(number * WEIGHTS_A_ROW, (number + 1) * WEIGHTS_A_ROW)
        rows: list[Row] = [
            (
                content,
                output,
                model.model_id,
                None if model.intercepts is None else model.intercepts[output],
                *model.weights_of(output)[part],
            )
            for output in range(model.outputs)
        ]
        filled.append((table, rows))
    return filled


def _variable_row(content: str, place: int, term: Term) -> Row:
    if isinstance(term, NumberTerm):
        one = term.input
        numbers = (one.fill, one.centre, one.scale)
        return (content, place, one.name, term.form, *numbers, None, None, None, None)
    cut = term.cut
    rule = (str(cut.rule), int(cut.has_missing_bin), cut.other_bin, cut.merged)
    return (content, place, cut.name, term.form, None, None, None, *rule)


def _bin_rows(content: str, place: int, cut: VariableBins) -> list[Row]:
    ends = dict(enumerate(cut.edges, cut.first_bin))
    categories = dict(enumerate(cut.categories, cut.first_bin))
    return [
        (content, place, code, label, ends.get(code), categories.get(code))
        for code, label in enumerate(cut.labels)
    ]


def read_linear(head: Head, fetch: Fetch) -> LinearModel:
    """The very document that was stored. Raises pydantic's ValidationError for unfit rows."""
    variables, bins = fetch(VARIABLES), fetch(BINS)
    bins_of = {place: list(rows) for place, rows in groupby(bins, key=itemgetter(1))}
    width = len(bins) + sum(row[3] == "number" for row in variables)
    parts = [fetch(table) for table in weight_tables(head["role"], width)]
    # content, output_number, model_id and the intercept come first in each
    outputs = [[value for part in row for value in part[4:]] for row in zip(*parts, strict=True)]
    terms: list[Term] = []
    at = 0
    for row in variables:
        own_bins = bins_of.get(row[1], [])
        end = at + (len(own_bins) or 1)
        weights = tuple(tuple(output[at:end]) for output in outputs)
        terms.append(_term(row, own_bins, weights))
        at = end
    intercepts = tuple(row[3] for row in parts[0])
    return LinearModel.model_validate(
        {
            **head,
            "intercepts": None if None in intercepts else intercepts,
            "terms": tuple(terms),
        }
    )


def _term(row: Sequence[Any], bins: Rows, weights: tuple[tuple[float, ...], ...]) -> Term:
    _, _, name, form, fill, centre, scale, rule, has_missing_bin, other_bin, merged = row
    if form == "number":
        one = NumberInput(name=name, fill=fill, centre=centre, scale=scale)
        return NumberTerm(input=one, weights=tuple(weight for (weight,) in weights))
    cut = VariableBins(
        name=name,
        rule=Rule(rule),
        edges=tuple(end for *_, end, _ in bins if end is not None),
        categories=tuple(category for *_, category in bins if category is not None),
        other_bin=other_bin,
        has_missing_bin=bool(has_missing_bin),
        labels=tuple(label for _, _, _, label, _, _ in bins),
        merged=merged,
    )
    return BinnedTerm(cut=cut, weights=weights)
