"""Multilayer perceptrons as SQL: a query a layer's sums, and one for its activation (C4)."""

from sqlglot import exp

from scoring.inputs import FEATURES, scaled
from scoring.layers import aliased, layer, score_columns
from scoring.literals import case, column, computed_once, number, present, total
from scoring.models.network import Activation, Layer, NetworkModel

# From here on 1 / (1 + exp(-z)) is 1, and exp(-z) of less than minus that no longer a double.
ONE_FROM, ZERO_TO = 40.0, -700.0


def network_query(model: NetworkModel, features: exp.Select, dialect: str) -> exp.Select:
    """Scores of `features`; NULL where a number is missing."""
    inputs = [
        aliased(scaled(feature, dialect), f"h{place}")
        for place, feature in enumerate(model.features)
    ]
    query = layer(features, FEATURES, inputs)
    first, *others = model.layers
    if not others:
        return layer(query, "h", score_columns(_scores(first, dialect)))
    return upper_layers(model, layer(query, "h", _sum_columns(first, dialect)), dialect)


def upper_layers(model: NetworkModel, sums: exp.Select, dialect: str) -> exp.Select:
    """The scores from the sums of the first layer of several, z0, z1, …"""
    below, *others, last = model.layers
    for one in others:
        sums = layer(_activate(below, sums, dialect), "h", _sum_columns(one, dialect))
        below = one
    return layer(_activate(below, sums, dialect), "h", score_columns(_scores(last, dialect)))


def _activate(one: Layer, sums: exp.Select, dialect: str) -> exp.Select:
    values = [_activated(one.activation, f"z{unit}", dialect) for unit in range(len(one.biases))]
    activated = [
        aliased(computed_once(value, dialect), f"h{unit}") for unit, value in enumerate(values)
    ]
    return layer(sums, "z", activated)


def _sums(one: Layer, dialect: str) -> list[exp.Expression]:
    """Of a layer's inputs, the columns h0, h1, …"""
    return [
        total(
            [
                number(bias, dialect),
                *(
                    exp.Mul(this=column(f"h{place}", "h"), expression=number(row[unit], dialect))
                    for place, row in enumerate(one.weights)
                    if row[unit]
                ),
            ],
            dialect,
        )
        for unit, bias in enumerate(one.biases)
    ]


def _sum_columns(one: Layer, dialect: str) -> list[exp.Expression]:
    sums = _sums(one, dialect)
    return [aliased(computed_once(value, dialect), f"z{unit}") for unit, value in enumerate(sums)]


def _scores(last: Layer, dialect: str) -> list[exp.Expression]:
    return [present(value, dialect) for value in _sums(last, dialect)]


def _activated(activation: Activation, name: str, dialect: str) -> exp.Expression:
    """Written out, as engines differ in GREATEST of NULL, have no TANH, or refuse large EXP."""
    value = column(name, "z")
    zero, one = number(0.0, dialect), number(1.0, dialect)
    match activation:
        case "identity":
            return value
        case "relu":
            positive = (exp.GT(this=value, expression=zero), value.copy())
            return case([positive], default=exp.Mul(this=value.copy(), expression=zero.copy()))
        case "logistic":
            return _sigmoid(value, dialect)
        case "tanh":  # 2 sigmoid(2z) - 1
            double = exp.Mul(this=value, expression=number(2.0, dialect))
            twice = exp.Mul(this=number(2.0, dialect), expression=_sigmoid(double, dialect))
            return exp.Sub(this=twice, expression=one)


def _sigmoid(value: exp.Expression, dialect: str) -> exp.Expression:
    one = number(1.0, dialect)
    small = exp.Exp(this=exp.Neg(this=exp.Paren(this=value)))
    whole = exp.Paren(this=exp.Add(this=one.copy(), expression=small))
    large = exp.GTE(this=exp.Paren(this=value.copy()), expression=number(ONE_FROM, dialect))
    low = exp.LTE(this=exp.Paren(this=value.copy()), expression=number(ZERO_TO, dialect))
    return case(
        [(large, one), (low, number(0.0, dialect))],
        default=exp.Div(this=one.copy(), expression=whole, typed=False, safe=False),
    )
