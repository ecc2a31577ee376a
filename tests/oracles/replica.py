"""A whole federated training on plaintext integers, in one process: what the protocol must equal.

Bank first, then participants. Every number a party would send in a ciphertext is here the plain
integer, so each round's parameters have to agree with a protocol run to the last bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from learning.curvature import (
    Constant,
    Curvature,
    Scaling,
    measure_curvature,
    measure_scaling,
    most_blocks,
)
from learning.fixed_point import bin_sums, from_grid, partial_scores
from learning.layout import Layout
from learning.losses import own_loss
from learning.optimisers import (
    Parameters,
    Update,
    descend,
    descend_preconditioned,
    safe_damping,
)
from learning.pretraining import pretrain
from learning.residuals import (
    Kind,
    Residual,
    ResidualPlan,
    check_scores,
    mean_gradient,
    plan_residual,
    residual_values,
    score_spread,
    squared_scores,
)
from learning.stopping import DEFAULT_STOP, PATENT_STOP, StopRule, loss_is_flat, steps_are_small

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Side:
    """One data party's training rows: codes uint8[variables, rows], and its columns."""

    codes: npt.NDArray[np.uint8]
    layout: Layout


@dataclass(frozen=True)
class Settings:
    """A job's terms, as far as the mathematics goes; `intercept` is the holder's number."""

    patent: bool = False
    kind: Kind = "logistic"
    intercept: int | None = 0
    inverse_penalty: float = 0.1
    residual: Residual = Residual.SMOOTHED
    step: float = 0.6
    momentum: float = 0.3
    stop: StopRule = DEFAULT_STOP
    maximum_rounds: int = 12
    pretrained: frozenset[int] = frozenset()


@dataclass
class Run:
    """Per round: every party's parameters (after it), measure (loss or decrease) and flag."""

    start: list[Integers]
    weights: list[list[Integers]] = field(default_factory=list)
    measures: list[list[float]] = field(default_factory=list)
    flags: list[list[bool]] = field(default_factory=list)
    stopped: bool = False

    @property
    def rounds(self) -> int:
        return len(self.weights)


def patent_settings(parties: int, step: float, maximum_rounds: int = 300) -> Settings:
    return Settings(
        patent=True,
        residual=Residual.TAYLOR,
        step=step,
        momentum=0,
        stop=PATENT_STOP,
        maximum_rounds=maximum_rounds,
        pretrained=frozenset(range(parties)),
    )


def train(sides: Sequence[Side], labels: Floats, settings: Settings) -> Run:
    """Every round of a job on the training rows (T4 to T9); labels -1/1, or numbers if linear."""
    constants = [_constant(party, settings) for party in range(len(sides))]
    run = Run([_start(side, labels, k, settings) for k, side in enumerate(sides)])
    parameters = [Parameters(start, np.zeros_like(start)) for start in run.start]
    curvatures = [
        measure_curvature(side.codes, side.layout, constant)
        for side, constant in zip(sides, constants, strict=True)
    ]
    scalings = [
        measure_scaling(side.codes, side.layout, constant)
        for side, constant in zip(sides, constants, strict=True)
    ]
    blocks = sum(most_blocks(side.layout.columns) for side in sides)
    while not run.stopped and run.rounds < settings.maximum_rounds:
        scores = [_scores(side, own.weights) for side, own in zip(sides, parameters, strict=True)]
        for own_scores in scores:
            check_scores(settings.residual, own_scores)
        residuals, plan = _residuals(scores, labels, settings.residual)
        rows = len(labels)
        gradients = [_gradient(side, residuals, plan.scale) for side in sides]
        updates = [
            _update(*own, plan.slope, settings, blocks=blocks, rows=rows)
            for own in zip(parameters, gradients, curvatures, scalings, strict=True)
        ]
        parameters = [update.parameters for update in updates]
        _record(run, sides, labels, updates, settings)
    return run


def _residuals(
    scores: Sequence[Integers], labels: Floats, residual: Residual
) -> tuple[Integers, ResidualPlan]:
    """The bank's scores come first; squares cross only where the residual needs them (T5)."""
    others = np.sum(scores[1:], axis=0)
    if residual is not Residual.SMOOTHED:
        plan = plan_residual(residual, scores[0], labels)
        return residual_values(plan, others), plan
    squares = [squared_scores(own_scores) for own_scores in scores[1:]]
    spread = sum(score_spread(own_squares) for own_squares in squares)
    plan = plan_residual(residual, scores[0], labels, spread)
    return residual_values(plan, others, np.sum(squares, axis=0)), plan


def _gradient(side: Side, residuals: Integers, scale: int) -> Floats:
    """The mean gradient of a side's columns and of its constant (T6)."""
    sums, (first, *_) = bin_sums(residuals, side.codes, side.layout.bins), side.layout.bins
    return mean_gradient(side.layout.contract(sums), sum(sums[:first]), scale, len(residuals))


def joint_scores(sides: Sequence[Side], weights: Sequence[Integers]) -> Floats:
    return from_grid(np.sum([_scores(*pair) for pair in zip(sides, weights, strict=True)], axis=0))


def _scores(side: Side, weights: Integers) -> Integers:
    of_bins = side.layout.expand(weights[:-1])
    return partial_scores(side.codes, of_bins, side.layout.bins, int(weights[-1]))


def _constant(party: int, settings: Settings) -> Constant:
    if settings.intercept is None:
        return Constant.NONE
    return Constant.INTERCEPT if party == settings.intercept else Constant.CENTRE


def _start(side: Side, labels: Floats, party: int, settings: Settings) -> Integers:
    if party not in settings.pretrained:
        return np.zeros(side.layout.columns + 1, np.int64)
    return pretrain(
        side.codes,
        side.layout,
        labels,
        kind=settings.kind,
        inverse_penalty=settings.inverse_penalty,
        constant=_constant(party, settings),
    )


def _update(
    own: Parameters,
    gradient: Floats,
    curvature: Curvature,
    scaling: Scaling,
    slope: float,
    settings: Settings,
    *,
    blocks: int,
    rows: int,
) -> Update:
    penalty = 1 / (settings.inverse_penalty * rows)
    if settings.patent:
        return descend(own, gradient, penalty, curvature.constant, settings.step, scaling)
    damping = safe_damping(blocks, settings.step)
    return descend_preconditioned(
        own, gradient, penalty, curvature, slope, damping=damping, momentum=settings.momentum
    )


def _record(
    run: Run, sides: Sequence[Side], labels: Floats, updates: list[Update], settings: Settings
) -> None:
    """Measures and flags of the round; the job stops when every flag is up (T8, T9)."""
    run.weights.append([update.parameters.weights for update in updates])
    if settings.patent:
        run.measures.append(
            [
                own_loss(_scores(side, weights), labels, settings.kind)
                for side, weights in zip(sides, run.weights[-1], strict=True)
            ]
        )
    else:
        run.measures.append([update.predicted_decrease for update in updates])
    judge = loss_is_flat if settings.patent else steps_are_small
    histories = [list(history) for history in zip(*run.measures, strict=True)]
    run.flags.append([judge(history, settings.stop) for history in histories])
    run.stopped = all(run.flags[-1])
