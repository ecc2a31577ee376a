"""A party's own scores in the clear, from its codes and parameters (requirements T4, T5)."""

import numpy as np
from numpy.typing import NDArray

from events.lifecycle import TrainingStopped
from events.terms import Terms
from handlers.errors import JobError
from handlers.history import History
from handlers.keys import residual_of
from handlers.own import Own
from handlers.prepared import own_parameters, own_prepared
from learning.curvature import Constant
from learning.errors import LearningError
from learning.fixed_point import Codes, Integers, partial_scores
from learning.residuals import check_scores


def constant_of(terms: Terms, party: str) -> Constant:
    """What the last parameter of a party is (requirements T10, C2)."""
    if terms.intercept_holder == party:
        return Constant.INTERCEPT
    return Constant.NONE if terms.intercept_holder is None else Constant.CENTRE


def training_scores(history: History, own: Own, round_number: int) -> Integers:
    """int64[training rows] on the grid, at the start of a round. JobError when they diverged."""
    weights = own_parameters(history, own, after_round=round_number - 1).weights
    return training_scores_of(history, own, weights)


def training_scores_of(history: History, own: Own, weights: Integers) -> Integers:
    scores = _scores(history, own, own_prepared(history, own).training_codes, weights)
    try:
        check_scores(residual_of(history.terms), scores)
    except LearningError as error:
        raise JobError("diverged", f"{own.name}: {error}") from None
    return scores


def final_weights(history: History, own: Own) -> Integers:
    last = history.one(TrainingStopped).event.round
    return own_parameters(history, own, after_round=last).weights


def held_out_scores(history: History, own: Own) -> NDArray[np.int64]:
    """int64[held-out rows], by the parameters after the last round."""
    codes = own_prepared(history, own).held_out_codes
    return _scores(history, own, codes, final_weights(history, own))


def _scores(history: History, own: Own, codes: Codes, weights: Integers) -> Integers:
    layout = own_prepared(history, own).layout
    return partial_scores(codes, layout.expand(weights[:-1]), layout.bins, int(weights[-1]))
