"""Identifying customers by every party's probabilities, in integers (requirements L1 to L4).

P, Norm(P), the weights, epsilon, tau and F are whole multiples of 10^-12 (F of 10^-24 over the
number of parties), and exp is rounded correctly from forty digits. So one customer alone gets what
it gets in a batch, on every machine, and a comparison with tau has no last bit to argue about.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal

import numpy as np
import numpy.typing as npt

from learning.errors import IdentificationError
from learning.fixed_point import ONE as GRID_ONE
from learning.fixed_point import Integers

DIGITS = 12
ONE: int = 10**DIGITS
EPSILON = ONE // 10**6
# What a party encrypts for a customer that it does not have: no probability, and easily told.
ABSENT = 1 << 46
# Of the plaintexts: a number or ABSENT, with its sign.
SLOT_BITS = 48
# Where a sweep looks: the source's range, then tenths.
SWEEP = (0.01, 0.02, 0.03, 0.04, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
LABELLED, NOT_LABELLED, UNKNOWN = 1, -1, 0
UNKNOWN_SCORE = 255

EXACT = Context(prec=40, rounding=ROUND_HALF_EVEN, Emin=-999_999, Emax=999_999)


def in_units(number: float) -> int:
    """A decimal number as its shortest form reads, in multiples of 10^-12."""
    return int(Decimal(repr(number)).scaleb(DIGITS, EXACT).to_integral_value(ROUND_HALF_EVEN))


def probability(score: int) -> int:
    """1 / (1 + exp(-u)) of a score on the grid, in units; half to even."""
    decay = EXACT.exp(EXACT.divide(Decimal(-abs(score)), Decimal(GRID_ONE)))
    above = Decimal(1) if score >= 0 else decay
    exact = EXACT.multiply(EXACT.divide(above, EXACT.add(Decimal(1), decay)), Decimal(ONE))
    return int(exact.to_integral_value(ROUND_HALF_EVEN))


def normalise(value: int, least: int, greatest: int) -> int:
    """Norm: where a probability lies between the extremes of the training rows, cut to [0, 1]."""
    span = greatest - least
    if span <= 0:
        raise IdentificationError(
            "the probabilities of the training rows are all the same: nothing tells customers apart"
        )
    return (2 * ONE * min(max(value - least, 0), span) + span) // (2 * span)


def normalised(scores: Integers, extremes: Sequence[float]) -> Integers:
    """Norm(P), int64[rows] in units, from scores on the grid and the range of the training rows.

    Each distinct score is worked out once. Raises IdentificationError.
    """
    least, greatest = (in_units(one) for one in extremes)
    distinct, places = np.unique(scores, return_inverse=True)
    values = [normalise(probability(int(one)), least, greatest) for one in distinct]
    result: Integers = np.array(values, np.int64)[places]
    return result


def joint(parts: Sequence[Integers], weights: Sequence[float]) -> list[int]:
    """The parties' number times F, a row, in multiples of 10^-24: sum of w Norm(P), + epsilon."""
    factors = [in_units(weight) for weight in weights]
    columns = [part.tolist() for part in parts]
    return [
        sum(factor * value for factor, value in zip(factors, row, strict=True)) + EPSILON * ONE
        for row in zip(*columns, strict=True)
    ]


def label(total: int, tau: float, parties: int) -> int:
    """1 where F > tau, else -1 (L3)."""
    return LABELLED if total > parties * in_units(tau) * ONE else NOT_LABELLED


def level(total: int, parties: int) -> int:
    """How many thresholds of the sweep F is above."""
    return sum(label(total, tau, parties) == LABELLED for tau in SWEEP)


def hundredths(total: int, parties: int) -> int:
    """F with two digits, in hundredths; half up."""
    whole = parties * ONE * ONE
    return (200 * total + whole) // (2 * whole)


def pack_values(values: Sequence[int], slots: int) -> list[int]:
    """Several numbers of one party a plaintext, the first in the lowest slot."""
    return [
        sum(value << (SLOT_BITS * slot) for slot, value in enumerate(values[start : start + slots]))
        for start in range(0, len(values), slots)
    ]


def is_probability(values: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """True for what a party may post: a number in [0, 1], or that it has no such customer."""
    result: npt.NDArray[np.bool_] = ((values >= 0) & (values <= ONE)) | (values == ABSENT)
    return result
